"""What other programs say of a picture: A1111's `parameters`, which name the prompt and the settings and no workflow."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from comfytui.workflow.summary import Facts

MAX_TEXT = 1 << 20
MAX_LINE = 16_000  # of settings: looking for a quote that is not there takes quadratic time
MAX_SETTINGS = 200
NEGATIVES = ("negativeprompt", "negative_prompt")
NEGATIVE = "Negative prompt:"
# `Key: value, Key: "quoted, value", …` on the last line.
_PAIR = re.compile(r'\s*([A-Za-z][\w \-/+.()]{0,80}?):\s*("(?:[^"\\]|\\.)*"|[^,]*)(?:,|$)')
_LORA = re.compile(r"<lora:([^:<>]{1,200})[:>]")
_SETTINGS = re.compile(r"(?m)^[ \t]*(?:Steps|Sampler|Seed|Size|Model): ")


class Parameters(msgspec.Struct, frozen=True):
    """The prompt and the settings, as text: `Steps` → `20`."""

    positive: str = ""
    negative: str = ""
    settings: Mapping[str, str] = msgspec.field(default_factory=dict)


def parameters(text: str) -> Parameters | None:
    """Read the text that A1111 and its kin write into a picture; None if it is not of that form. Never raises."""
    text = text[:MAX_TEXT].replace("\r\n", "\n").strip("\0 \n")
    if text.startswith("{"):
        return _of_json(text)
    found = list(_SETTINGS.finditer(text))
    if not found and NEGATIVE not in text:
        return None
    # A prompt can hold a line that looks like settings: they are the last ones.
    start = found[-1].start() if found else len(text)
    words, last = text[:start], text[start:].strip()
    positive, _, negative = words.partition(NEGATIVE)
    settings: dict[str, str] = {}
    for match in _PAIR.finditer(last[:MAX_LINE]):
        if len(settings) >= MAX_SETTINGS:
            break
        value = match[2].strip()
        settings.setdefault(match[1].strip(), _unquoted(value) if value.startswith('"') else value)
    return Parameters(positive.strip(), negative.strip(), settings)


def as_facts(found: Parameters, name: str = "") -> Facts:
    """The same as the facts of a workflow; what is no number is left out."""
    given = {key.lower().replace(" ", "_"): value for key, value in found.settings.items()}
    size = re.fullmatch(r"\s*(\d{1,6})\s*[x×]\s*(\d{1,6})\s*", given.get("size", ""))
    loras = tuple(match[1] for match in _LORA.finditer(found.positive[:MAX_TEXT]))
    return Facts(
        name=name,
        positive=found.positive,
        negative=found.negative,
        seed=_whole(given.get("seed")),
        steps=_whole(given.get("steps")),
        cfg=_number(given.get("cfg_scale") or given.get("cfgscale")),
        sampler=given.get("sampler", ""),
        scheduler=given.get("schedule_type") or given.get("scheduler", ""),
        denoise=_number(given.get("denoising_strength")),
        width=int(size[1]) if size else _whole(given.get("width")),
        height=int(size[2]) if size else _whole(given.get("height")),
        model=given.get("model", ""),
        loras=tuple(dict.fromkeys(loras)),
    )


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"\s*\d{1,20}\s*", text, re.ASCII) else None


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and re.fullmatch(r"\s*\d{1,9}(\.\d{1,9})?\s*", text, re.ASCII) else None


def _of_json(text: str) -> Parameters | None:
    """SwarmUI and Fooocus write an object: the first has one of its own within."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
    if isinstance(found, dict) and isinstance(found.get("sui_image_params"), dict):
        found = found["sui_image_params"]
    if not isinstance(found, dict) or not isinstance(found.get("prompt"), str) or "class_type" in found:
        return None
    negative = next((found[key] for key in NEGATIVES if isinstance(found.get(key), str)), "")
    settings = {
        str(key)[:80]: value if isinstance(value, str) else str(value)
        for key, value in list(found.items())[:MAX_SETTINGS]
        if key not in ("prompt", *NEGATIVES) and isinstance(value, (str, int, float))
    }
    return Parameters(found["prompt"], negative, settings)


def _unquoted(value: str) -> str:
    try:
        return str(msgspec.json.decode(value))
    except (msgspec.DecodeError, UnicodeEncodeError):
        return value.strip('"')
