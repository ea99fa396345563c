"""`comfytui check`: what a server lacks for a workflow, and what it would refuse."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from pathlib import Path

import click

from comfytui.cli import diagnostics, output, session, workflows
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.cli.options import json_option, server_option
from comfytui.cli.shapes import Checked, Fault, Lacking
from comfytui.client import sanitize
from comfytui.workflow.catalog import ObjectInfo
from comfytui.workflow.check import Problem, check
from comfytui.workflow.convert import MissingNodesError
from comfytui.workflow.document import Document
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.lacks import Lack, lacking_classes, lacks
from comfytui.workflow.told_models import ToldModel, fetch_command, told_models, told_of
from comfytui.workflow.uploads import uploads

TOLD_AS_LACKING = ("missing_node", "missing_choice")


@click.command()
@workflows.file_argument
@server_option
@json_option
def command(file: Path, server: str | None, as_json: bool) -> None:
    """Tell what the server lacks to run the workflow in FILE: node classes, models, pictures; each with what it has that is near.

    - reads from stdin. Ends with 0 if nothing is missing, 11 if something is, 4 if something else is wrong with the workflow.
    """
    session.run(_check(workflows.local(file), str(file), server, as_json))


async def _check(source: Document | Path, file: str, server: str | None, as_json: bool) -> None:
    async with session.connected(server) as connection:
        found = await workflows.load(connection, source)
        object_info = await connection.load_object_info()
        remarks: tuple[str, ...] = ()
        problems: list[Problem] = []
        try:
            found, remarks = await workflows.runnable(connection, found, say=False)
        except MissingNodesError as error:
            missing = lacking_classes((each.class_type for each in error.missing), object_info)
        else:
            missing, problems = await asyncio.to_thread(_compared, found, object_info)
    told = Checked(
        file=file,
        ok=not (missing or problems),
        missing=await asyncio.to_thread(_told, missing, found, object_info, Path(file).parent),
        problems=tuple(_fault(each) for each in problems),
        warnings=tuple(map(sanitize.block, remarks)),
    )
    if as_json:
        output.json(told)
    else:
        _print(told)
    if told.missing:
        raise Failed(Exit.LACKING)
    if told.problems:
        raise Failed(Exit.REFUSED)


def _compared(found: Document, object_info: ObjectInfo) -> tuple[list[Lack], list[Problem]]:
    others = [each for each in check(found.graph, object_info) if each.kind not in TOLD_AS_LACKING]
    return lacks(found.graph, object_info), others


def _print(told: Checked) -> None:
    if told.missing:
        rows = [
            (each.kind, each.name, each.input, ", ".join(each.where), ", ".join(each.near)) for each in told.missing
        ]
        output.table(("MISSING", "NAME", "INPUT", "WANTED BY", "NEAR"), rows)
    for lack in told.missing:
        if lack.path is not None:
            diagnostics.say(f"{lack.name} lies here: comfytui upload {shlex.quote(lack.path)}")
        if lack.fetch:
            diagnostics.say(f"{lack.name}, on the server's machine, where its models are:\n  {lack.fetch}")
    for each in told.problems:
        where = f"node {each.node_id} ({each.title}): " if each.node_id else ""
        output.line(f"{where}{each.text}. {each.fix}")
    for text in told.warnings:
        diagnostics.say(text)
    if told.ok:
        diagnostics.say(f"{told.file}: nothing is missing")


def _told(missing: list[Lack], found: Document, object_info: ObjectInfo, folder: Path) -> tuple[Lacking, ...]:
    """With what the workflow tells of its models, and which files lie beside it."""
    models = told_models(found.workflow)
    here = {
        (each.value, each.input): each.path for each in uploads(found.graph, object_info, folder) if not each.refused
    }
    return tuple(_lacking(each, told_of(each.name, models), here.get((each.name, each.input))) for each in missing)


def _lacking(lack: Lack, model: ToldModel | None, path: Path | None) -> Lacking:
    """Clean: the names come from a file."""
    fetch = ""
    if lack.kind == "file" and model is not None:
        with contextlib.suppress(WorkflowError):  # it tells no address or folder that can be used: there is no command
            fetch = fetch_command(model)
    known = model if lack.kind == "file" and model is not None else ToldModel("")
    return Lacking(
        kind=lack.kind, name=sanitize.line(lack.name), input=sanitize.line(lack.input),
        where=tuple(map(sanitize.line, lack.where)), near=tuple(sanitize.line(str(each)) for each in lack.near),
        how=lack.how, directory=known.directory, url=known.url, sha256=known.sha256, fetch=fetch,
        path=str(path) if path is not None else None,
    )  # fmt: skip


def _fault(problem: Problem) -> Fault:
    return Fault(
        kind=problem.kind, node_id=sanitize.line(problem.node_id), title=sanitize.line(problem.title),
        input=sanitize.line(problem.input), text=sanitize.line(problem.text), fix=sanitize.line(problem.fix),
    )  # fmt: skip
