"""What a model's card says, from the metadata that trainers and mergers write into safetensors files. Pure.

Keys: `modelspec.*` of the Stability AI model metadata standard (1.0.0), `ss_*` of kohya's trainers, and what others write.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

TAGS = 24  # of a training that are shown
_FAMILY = ("modelspec.architecture", "ss_base_model_version", "baseModel", "base_model", "architecture", "model_type")
_TITLE = ("modelspec.title", "ss_output_name", "name", "title")
_WORDS = (
    "modelspec.trigger_phrase",
    "trigger_phrase",
    "trigger_words",
    "trained_words",
    "instance_prompt",
    "activation text",
)
_ABOUT = (
    ("author", ("modelspec.author", "author")),
    ("made", ("modelspec.date", "date")),
    ("licence", ("modelspec.license", "license")),
    ("about", ("modelspec.description", "description", "ss_training_comment", "notes")),
    ("usage", ("modelspec.usage_hint", "usage_hint")),
    ("tags", ("modelspec.tags",)),
    ("merged from", ("modelspec.merged_from",)),
    ("prediction", ("modelspec.prediction_type",)),
    ("resolution", ("modelspec.resolution", "ss_resolution")),
    ("format", ("format",)),
)
_TRAINING = (
    ("method", ("ss_network_module",)),
    ("rank", ("ss_network_dim",)),
    ("alpha", ("ss_network_alpha",)),
    ("base model", ("ss_sd_model_name",)),
    ("steps", ("ss_steps", "ss_max_train_steps")),
    ("epochs", ("ss_epoch", "ss_num_epochs")),
    ("pictures", ("ss_num_train_images",)),
    ("batch", ("ss_total_batch_size", "ss_batch_size_per_device")),
    ("learning rate", ("ss_unet_lr", "ss_learning_rate")),
    ("optimizer", ("ss_optimizer",)),
    ("scheduler", ("ss_lr_scheduler",)),
    ("precision", ("ss_mixed_precision",)),
    ("clip skip", ("ss_clip_skip",)),
    ("seed", ("ss_seed",)),
)


class ModelFacts(msgspec.Struct, frozen=True):
    """Of one file. `words` trigger it; `tags` are the most frequent of its training, with their counts."""

    family: str = ""
    title: str = ""
    words: tuple[str, ...] = ()
    tags: tuple[tuple[str, int], ...] = ()
    about: tuple[tuple[str, str], ...] = ()
    training: tuple[tuple[str, str], ...] = ()


def facts(metadata: Mapping[str, str]) -> ModelFacts:
    """The facts in a file's metadata; empty ones where it has none. Never raises for what is in it."""
    return ModelFacts(
        family=_first(metadata, _FAMILY),
        title=_first(metadata, _TITLE),
        words=_listed(_first(metadata, _WORDS)),
        tags=tuple(_tags(metadata.get("ss_tag_frequency", ""))),
        about=tuple(_pairs(metadata, _ABOUT)),
        training=tuple(_pairs(metadata, _TRAINING)),
    )


def _first(metadata: Mapping[str, str], keys: Iterable[str]) -> str:
    said = (metadata.get(key, "").strip() for key in keys)
    return next((each for each in said if each and each.lower() not in ("none", "null", '""')), "").strip('"')


def _pairs(metadata: Mapping[str, str], rows: Iterable[tuple[str, tuple[str, ...]]]) -> Iterable[tuple[str, str]]:
    for name, keys in rows:
        if value := _first(metadata, keys):
            yield name, value


def _listed(text: str) -> tuple[str, ...]:
    """A list in JSON, or words with commas between them."""
    value = _json(text) if text.startswith("[") else None
    parts = [str(each) for each in value] if isinstance(value, list) else text.split(",")
    return tuple(dict.fromkeys(part.strip() for part in parts[:100] if part.strip()))


def _tags(text: str) -> list[tuple[str, int]]:
    """`{"folder": {"tag": count}}`: the most frequent of all folders."""
    found: dict[str, int] = {}
    folders = _json(text)
    for folder in folders.values() if isinstance(folders, dict) else ():
        for tag, count in folder.items() if isinstance(folder, dict) else ():
            if isinstance(count, int) and not isinstance(count, bool):
                found[str(tag).strip()] = found.get(str(tag).strip(), 0) + count
    return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:TAGS]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
