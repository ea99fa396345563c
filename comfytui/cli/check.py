"""`comfytui check`: what a server lacks for a workflow, and what it would refuse."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from comfytui.cli import diagnostics, output, session, workflows
from comfytui.cli.amounts import expectation
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.cli.options import json_option, server_option
from comfytui.cli.shapes import Checked, Fault, Lacking
from comfytui.client import sanitize
from comfytui.state.connection import Connection
from comfytui.state.times import Estimate
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
@click.option(
    "--fetch",
    is_flag=True,
    help="Get the missing models that the workflow tells of; the server must be on this machine.",
)
@click.option("--yes", "-y", is_flag=True, help="Fetch without asking.")
@json_option
def command(file: Path, server: str | None, fetch: bool, yes: bool, as_json: bool) -> None:
    """Tell what the server lacks to run the workflow in FILE: node classes, models, pictures; each with what it has that is near.

    - reads from stdin. Ends with 0 if nothing is missing, 11 if something is, 4 if something else is wrong with the workflow.
    """
    if yes and not fetch:
        raise click.UsageError("--yes is for --fetch.")
    session.run(_check(workflows.local(file), str(file), server, as_json, fetch, yes))


async def _check(
    source: Document | Path, file: str, server: str | None, as_json: bool, fetch: bool = False, yes: bool = False
) -> None:
    fetched: tuple[Path, ...] = ()
    async with session.connected(server, remember=True) as connection:
        loaded = await workflows.load(connection, source)
        state = await _compare(connection, loaded)
        if fetch and (wanted := _told_missing(state)):
            from comfytui.cli.model_fetching import fetch_models

            fetched = await fetch_models(connection, wanted, yes)
            if fetched:
                await connection.load_object_info(force=True)
                state = await _compare(connection, loaded)
        expected = await connection.expected(state.document.graph) if state.document.graph else Estimate()
    told = Checked(
        file=file,
        ok=not (state.missing or state.problems),
        missing=await asyncio.to_thread(_told, state.missing, state.document, state.object_info, Path(file).parent),
        problems=tuple(_fault(each) for each in state.problems),
        warnings=tuple(map(sanitize.block, state.remarks)),
        estimate=expected.seconds,
        fetched=tuple(map(str, fetched)),
    )
    if not as_json and (text := expectation(expected)):
        diagnostics.say(f"a run should take {text}")
    if as_json:
        output.json(told)
    else:
        _print(told)
    if told.missing:
        raise Failed(Exit.LACKING)
    if told.problems:
        raise Failed(Exit.REFUSED)


class _State(msgspec.Struct, frozen=True):
    """How a workflow and a server go together."""

    document: Document
    object_info: ObjectInfo
    missing: Sequence[Lack]
    problems: Sequence[Problem] = ()
    remarks: Sequence[str] = ()


async def _compare(connection: Connection, loaded: Document) -> _State:
    object_info = await connection.load_object_info()
    try:
        found, remarks = await workflows.runnable(connection, loaded, say=False)
    except MissingNodesError as error:
        return _State(loaded, object_info, lacking_classes((each.class_type for each in error.missing), object_info))
    missing, problems = await asyncio.to_thread(_compared, found, object_info)
    return _State(found, object_info, missing, problems, remarks)


def _told_missing(state: _State) -> list[ToldModel]:
    """What is missing and told of by the workflow; each once."""
    models = told_models(state.document.workflow)
    found = (told_of(lack.name, models) for lack in state.missing if lack.kind == "file")
    return list(dict.fromkeys(each for each in found if each is not None))


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
        if lack.kind == "file" and lack.near and lack.where:
            other = shlex.quote(f"{lack.where[0]}.{lack.input}={lack.near[0]}")
            diagnostics.say(f"with the near one: comfytui run {shlex.quote(told.file)} --set {other}")
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


def _told(missing: Sequence[Lack], found: Document, object_info: ObjectInfo, folder: Path) -> tuple[Lacking, ...]:
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
