"""`comfytui inspect`: what a workflow file or a picture says, without a server."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
import msgspec

from comfytui.cli import output, workflows
from comfytui.cli.options import json_option
from comfytui.cli.shapes import Input, Inspected
from comfytui.client import sanitize
from comfytui.workflow import inputs
from comfytui.workflow.document import Document, NotAWorkflowError
from comfytui.workflow.embedded import Parameters, as_facts
from comfytui.workflow.graph import class_type
from comfytui.workflow.remedies import MODEL_FILE
from comfytui.workflow.summary import Facts, facts
from comfytui.workflow.ui_form import UIForm, ui_form


@click.command()
@workflows.file_argument
@click.option("--inputs", "every", is_flag=True, help="All inputs that can be set, as --set takes them.")
@json_option
def command(file: Path, every: bool, as_json: bool) -> None:
    """Tell what the workflow in FILE is about: prompts, seed, sizes, models, nodes. No server is asked.

    FILE is what run takes: JSON, or a picture that ComfyUI saved; - reads from stdin.
    """
    try:
        told = inspected(workflows.read(file), str(file))
    except NotAWorkflowError as error:
        told = foreign(error.parameters, str(file))
    if as_json:
        output.json(told)
    elif every:
        output.table(
            ("INPUT", "VALUE", "NODE", "ROLE"),
            [(f"{each.node_id}.{each.input}", _one_line(each.value), each.title, each.role) for each in told.inputs],
        )
    else:
        output.table(("WHAT", "VALUE"), _rows(told))


def inspected(found: Document, file: str) -> Inspected:
    """What can be told of it, cleaned: all of it comes from a file."""
    name = Path(found.name).stem
    if not found.graph:
        form = ui_form(found.workflow, name) or UIForm()
        return Inspected(
            file=file, form="ui", source=found.source, facts=_clean(form.facts),
            nodes=dict(Counter(map(sanitize.line, form.classes))), models=tuple(map(sanitize.line, form.models)),
            inputs=(), parameters=_settings(found.parameters),
        )  # fmt: skip
    graph = sanitize.json_value(found.graph)
    fields = inputs.fields(graph)
    values = (each.value for each in fields if isinstance(each.value, str) and len(each.value) < 300)
    return Inspected(
        file=file, form="api", source=found.source, facts=facts(graph, sanitize.line(name)),
        nodes=dict(Counter(class_type(graph, node_id) for node_id in graph)),
        models=tuple(dict.fromkeys(value for value in values if MODEL_FILE.search(value))),
        inputs=tuple(
            Input(
                node_id=each.node_id, title=each.title, class_type=each.class_type, input=each.input, role=each.role,
                value=each.value,
            )
            for each in fields
        ),
        parameters=_settings(found.parameters),
    )  # fmt: skip


def foreign(parameters: Parameters, file: str) -> Inspected:
    """What another program says of its picture, cleaned."""
    return Inspected(
        file=file, form="none", source="another program", facts=_clean(as_facts(parameters, Path(file).stem)),
        nodes={}, models=(), inputs=(), parameters=_settings(parameters),
    )  # fmt: skip


def _settings(parameters: Parameters | None) -> dict[str, str]:
    if parameters is None:
        return {}
    return {sanitize.line(key): sanitize.block(value) for key, value in parameters.settings.items()}


def _clean(told: Facts) -> Facts:
    return msgspec.convert(sanitize.json_value(msgspec.to_builtins(told)), Facts)


def _rows(told: Inspected) -> list[tuple[str, str]]:
    shown = msgspec.to_builtins(told.facts)
    rows = [("form", f"{told.form} ({told.source})" if told.source != told.form else told.form)]
    for key, value in shown.items():
        if key in ("model", "loras") or value in (None, "", [], ()):
            continue
        rows.append((key, _one_line(value)))
    rows += [("model", each) for each in told.models]
    rows += [(key, _one_line(value)) for key, value in told.parameters.items()] if told.form == "none" else []
    if told.nodes:
        counted = (f"{count} × {name}" if count > 1 else name for name, count in told.nodes.items())
        rows.append(("nodes", ", ".join(counted)))
    return rows


def _one_line(value: object) -> str:
    return " ".join(str(value).split())
