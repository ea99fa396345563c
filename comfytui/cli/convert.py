"""`comfytui convert`: from the form of a workflow that a browser saves to the one that a server runs, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from comfytui.cli import diagnostics, output, workflows
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.cli.options import json_option, server_option
from comfytui.cli.shapes import Conversion, Remark, Unknown
from comfytui.workflow import convert, document
from comfytui.workflow.document import Document
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.runnable import runnable

API: Literal["api"] = "api"
UI: Literal["ui"] = "ui"
MAX_CATALOGUE = 256 * 1024 * 1024  # bytes; that of a server with ten thousand classes has about 20 MB


@click.command()
@workflows.file_argument
@click.option("--to", "form", type=click.Choice([API, UI]), help="What is wanted; the other form by default.")
@click.option(
    "--object-info", "info", metavar="FILE", type=click.Path(path_type=Path), help="A server's /object_info, saved."
)
@server_option
@click.option("-o", "--output", "path", metavar="OUT", type=click.Path(path_type=Path), help="Write to this file.")
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
@json_option
def command(
    file: Path,
    form: Literal["api", "ui"] | None,
    info: Path | None,
    server: str | None,
    path: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Convert the workflow in FILE between the UI form, which a browser saves, and the API form, which a server runs.

    - reads from stdin. What node classes look like is read from --object-info, so that no server is needed, or asked
    of the server. Remarks go to stderr. Nodes that nobody knows are listed, and nothing is written.
    """
    if info is not None and server is not None:
        raise click.UsageError("--object-info and --server exclude each other.")
    found = workflows.read(file)
    wanted: Literal["api", "ui"] = form or (UI if found.graph and found.workflow is None else API)
    try:
        report = _converted(found, wanted, info, server)
    except convert.MissingNodesError as error:
        if as_json:
            output.json(Conversion(to=wanted, missing=tuple(_unknown(each) for each in error.missing)))
        raise Failed(Exit.LACKING, _listed(error)) from error
    if path is not None and report.result is not None:
        report = msgspec.structs.replace(report, result=None, path=str(_written(path, report.result, overwrite)))
    for each in (*report.warnings, *report.problems):
        where = f"node {each.node_id} ({each.title}): " if each.node_id else ""
        diagnostics.say(where + each.text)
    if as_json:
        output.json(report)
    else:
        output.line(report.path) if report.path is not None else output.json(report.result)


def _converted(found: Document, wanted: Literal["api", "ui"], info: Path | None, server: str | None) -> Conversion:
    """Nothing is asked or converted if the file holds the wanted form itself."""
    if wanted == API:
        if found.graph:
            return Conversion(to=API, result=found.graph)
        made = runnable(found, _object_info(info, server))
        return Conversion(
            to=API, result=made.document.graph, warnings=_remarks(made.warnings), problems=_remarks(made.problems)
        )
    if found.workflow is not None:
        return Conversion(to=UI, result=found.workflow)
    drawn = convert.to_ui(found.graph, _object_info(info, server))
    return Conversion(to=UI, result=drawn.workflow, warnings=_remarks(drawn.warnings))


def _remarks(found: Sequence[convert.Remark]) -> tuple[Remark, ...]:
    return tuple(Remark(text=each.text, node_id=each.node_id, title=each.title) for each in found)


def _unknown(node: convert.MissingNode) -> Unknown:
    return Unknown(
        class_type=node.class_type, node_id=node.node_id, title=node.title, pack=node.pack, version=node.version
    )


def _object_info(path: Path | None, server: str | None) -> Mapping[str, Any]:
    if path is not None:
        return _saved(path)
    from comfytui.cli import session  # what talks to servers takes longer to import than the conversion does

    found: list[Mapping[str, Any]] = []

    async def ask() -> None:
        async with session.connected(server) as connection:
            found.append(await connection.load_object_info())

    session.run(ask())
    return found[0]


def _saved(path: Path) -> Mapping[str, Any]:
    """A file with what a server answers to /object_info."""
    fix = "Save it with: curl SERVER/object_info"
    try:
        if path.stat().st_size > MAX_CATALOGUE:
            raise Failed(Exit.USAGE, f"{path}: larger than {MAX_CATALOGUE >> 20} MiB. {fix}")
        found = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise Failed(Exit.USAGE, f"{path} cannot be read: {error.strerror or error}") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Failed(Exit.USAGE, f"{path} is not JSON: {error}. {fix}") from error
    if not isinstance(found, dict) or not any(isinstance(each, dict) and "input" in each for each in found.values()):
        raise Failed(Exit.USAGE, f"{path} holds no node classes. {fix}")
    return found


def _written(path: Path, result: Mapping[str, Any], overwrite: bool) -> Path:
    empty = path.is_file() and not path.stat().st_size  # made by mktemp and the like
    try:
        return document.write(path, result, overwrite=overwrite or empty)
    except WorkflowError as error:
        hint = "; --overwrite replaces it" if path.exists() and not overwrite else ""
        raise Failed(Exit.FILES, f"{error}{hint}") from error


def _listed(error: convert.MissingNodesError) -> str:
    """All of them, one on a line: the message of the error ends after some."""
    lines = [f"- {each}" for each in error.missing]
    name = f"{error.name}: " if error.name else ""
    return "\n".join([f"{name}these nodes are unknown to the server:", *lines, error.fix])
