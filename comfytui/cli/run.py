"""`comfytui run`: queues a workflow, waits for it, and writes its results."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from comfytui.cli import diagnostics, following, output, saving, session, workflows
from comfytui.cli.amounts import expectation
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.cli.options import server_option
from comfytui.cli.progress import Progress
from comfytui.cli.shapes import Result
from comfytui.client.errors import ClientError, Refused
from comfytui.settings import files
from comfytui.state.connection import Connection
from comfytui.state.model import Job, JobState
from comfytui.workflow import forms, inputs, queueing, seeds
from comfytui.workflow.check import Problem, check
from comfytui.workflow.document import Document
from comfytui.workflow.wildcards import Wildcards


class Options(msgspec.Struct, frozen=True):
    """The command line of `run`."""

    server: str | None
    local: bool
    assignments: tuple[str, ...]
    seed: str | None
    count: int
    folder: Path | None
    as_json: bool
    front: bool
    wait: bool
    patience: float
    cancel_on_exit: bool


class Variant(msgspec.Struct, frozen=True):
    """One of the runs that `--count` asks for."""

    graph: Mapping[str, Any]
    seed: int | None


@click.command()
@workflows.file_argument
@server_option
@click.option("--local", is_flag=True, help="Use an engine on this machine; start one if none listens.")
@click.option(
    "--set", "assignments", metavar="NODE.INPUT=VALUE", multiple=True, help="Change an input; may be repeated."
)
@click.option("--seed", metavar="N|random", help="Set every seed of the workflow.")
@click.option("--count", type=click.IntRange(1, 10_000), default=1, help="How many runs, each with its own seed.")
@click.option(
    "--output", "-o", "folder", metavar="DIR", type=click.Path(path_type=Path), help="Where results are written."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each run.")
@click.option("--front", is_flag=True, help="Queue before everything that waits.")
@click.option(
    "--no-wait", "wait", is_flag=True, flag_value=False, default=True, help="Queue, print the ids, and leave."
)
@click.option(
    "--patience", type=click.FloatRange(0), default=60.0, metavar="SECONDS", help="How long a server may be away."
)
@click.option("--cancel-on-exit", is_flag=True, help="Ctrl-C cancels the jobs instead of leaving them to the server.")
def command(file: Path, **options: Any) -> None:
    """Run the workflow in FILE: JSON in the API or the UI format, a picture, film or latent that ComfyUI saved, or what the
    server has: a link of its /view or /history, server:output/NAME, server:history/ID, server:workflows/NAME.

    - reads from stdin. Writes the results and prints their paths, one on a line. NODE is the id, title or class of a node; without it,
    INPUT is what the input means, as in --set positive="a cat" or --set steps=12. With --count, seeds count up from
    the workflow's or the given one; with --seed random each run has its own.
    """
    given = Options(**options)
    if given.server and given.local:
        raise click.UsageError("--server and --local exclude each other.")
    if given.local and not given.wait:
        raise click.UsageError("--no-wait needs a server that stays: not --local.")
    found = workflows.local(file)
    # What is wrong is told before anything is asked, if the graph is known by then.
    wanted = variants(found, given) if isinstance(found, Document) and found.graph else []
    folder = given.folder or Path(files.load().output_dir).expanduser()
    if given.wait:
        saving.made(folder)
    session.run(_run(found, wanted, folder, given))


def variants(found: Document, options: Options) -> list[Variant]:
    """The graphs to queue. Raises WorkflowError for an assignment or a seed that the workflow has no place for."""
    graph: Mapping[str, Any] = found.graph
    for text in options.assignments:
        node, name, value = inputs.parse_assignment(text, graph)
        graph = inputs.with_value(graph, node, name, value)
    places = seeds.seed_places(graph)
    if options.seed is None and (options.count == 1 or not places):
        if options.count > 1:
            diagnostics.say("the workflow has no seed: every run gives the same")
        return [Variant(graph, _seed(graph))] * options.count
    first = _first(options.seed, graph)
    return [Variant(seeds.with_seed(graph, seed), seed) for seed in seeds.seeds(options.count, first)]


def _first(wanted: str | None, graph: Mapping[str, Any]) -> int | None:
    """The seed to count up from; None for random ones."""
    if wanted is None:
        return _seed(graph)
    if wanted.strip().lower() == "random":
        return None
    try:
        return int(wanted)
    except ValueError:
        raise click.BadParameter("give a number, or random", param_hint="--seed") from None


def _seed(graph: Mapping[str, Any]) -> int | None:
    places = seeds.seed_places(graph)
    return graph[places[0].node_id]["inputs"][places[0].input] if places else None


async def _run(source: Document | Path, wanted: Sequence[Variant], folder: Path, options: Options) -> None:
    async with session.connected(options.server, local=options.local, remember=not options.local) as connection:
        ids: list[str] = []
        found, _ = await workflows.runnable(connection, await workflows.load(connection, source))
        wanted = wanted or variants(found, options)
        if wanted and (text := expectation(await connection.expected(wanted[0].graph), len(wanted))):
            diagnostics.say(f"{text}")
        try:
            for each in wanted:
                ids.append(await _submit(connection, found, each, options.front))
                if not options.wait:
                    _queued(ids[-1], each, options.as_json)
            if not options.wait:
                return
            worst = await _collect(connection, ids, wanted, folder, options)
        except (asyncio.CancelledError, Failed) as end:
            # Not only ctrl-C: whoever reads our output may have gone, the disk may be full. The jobs go on all the same.
            if isinstance(end, asyncio.CancelledError) or options.cancel_on_exit:
                await _leave(connection, ids, options)
            raise
    if worst is not Exit.OK:
        raise Failed(worst)


def _queued(prompt_id: str, variant: Variant, as_json: bool) -> None:
    if as_json:
        output.json(Result(prompt_id=prompt_id, state=JobState.WAITING, seed=variant.seed, files=()))
    else:
        output.line(prompt_id)


async def _leave(connection: Connection, ids: Sequence[str], options: Options) -> None:
    if not options.local:
        await following.leave(connection, ids, options.server, cancel=options.cancel_on_exit)
    elif following.left_of(connection, ids):
        diagnostics.say("\nstopped; so is the local engine if this command started it, and the job with it")


async def _submit(connection: Connection, found: Document, variant: Variant, front: bool) -> str:
    """Queue one variant. A refusal is completed with everything that is wrong: the server names only the first."""
    workflow = await _workflow(connection, found, variant)
    sent = await _ready(connection, variant, workflow)
    try:
        submitted = await connection.submit(
            sent.graph, name=found.name, workflow=workflow, front=front, previews=False, hold=False,
            templates=sent.templates,
        )  # fmt: skip
    except Refused as refusal:
        problems: list[Problem] = []
        with contextlib.suppress(ClientError):  # the refusal is the news; without the catalogue it is shown alone
            problems = check(variant.graph, await connection.load_object_info())
        told = [f"the server refuses {found.name}: {refusal.message}", *(f"- {each}" for each in problems)]
        raise Failed(Exit.REFUSED, "\n".join(told) if problems else str(refusal)) from refusal
    for node_id, problems_of in submitted.node_errors.items():
        # Accepted all the same: only the outputs that depend on this node are left out.
        diagnostics.say(f"the server leaves out node {node_id}: {'; '.join(map(str, problems_of.problems))}")
    return submitted.prompt_id


async def _ready(connection: Connection, variant: Variant, workflow: Mapping[str, Any] | None) -> queueing.Ready:
    """The graph with its choices, wildcards and names of files filled in. Raises WorkflowError."""
    if not queueing.may_change(variant.graph):
        return queueing.Ready(dict(variant.graph))
    object_info = None
    with contextlib.suppress(ClientError):  # then the prompts of the samplers are expanded
        object_info = await connection.load_object_info()
    wildcards = Wildcards(files.load().wildcard_folders)
    return await asyncio.to_thread(
        queueing.ready, variant.graph, object_info, wildcards, now=datetime.now(), workflow=workflow
    )


async def _workflow(connection: Connection, found: Document, variant: Variant) -> Mapping[str, Any] | None:
    """The UI form with the values of this run: what a browser restores from the picture."""
    if found.workflow is None or variant.graph == found.graph:
        return found.workflow
    try:
        object_info = await connection.load_object_info()
    except ClientError:  # it runs all the same
        return None
    return await asyncio.to_thread(forms.embedded, found, variant.graph, object_info)


async def _collect(
    connection: Connection, ids: Sequence[str], wanted: Sequence[Variant], folder: Path, options: Options
) -> Exit:
    """Wait for the jobs one after the other, and write and print each as it ends."""
    progress = Progress(ids)
    unsubscribe = connection.subscribe(progress)
    worst = Exit.OK
    try:
        for prompt_id, variant in zip(ids, wanted, strict=True):
            ended = await following.wait(connection, prompt_id, options.patience)
            job = await following.complete(connection, ended)
            saved = await saving.save(connection, prompt_id, saving.chosen(job.outputs), folder)
            progress.flush(connection.state)
            progress.clear()
            code = _report(job, variant, [each.path for each in saved], options.as_json)
            worst = worst or code
    finally:
        unsubscribe()
        progress.clear()
    return worst


def _report(job: Job, variant: Variant, results: Sequence[Path], as_json: bool) -> Exit:
    """Print one job's results, and say why it failed if it did."""
    texts = tuple(each.text for each in job.outputs if each.text is not None)
    error = following.error_of(job)
    paths = tuple(str(path) for path in results)
    if as_json:
        output.json(
            Result(
                prompt_id=job.id, state=job.state, seed=variant.seed, files=paths, seconds=job.seconds, texts=texts,
                error=error,
            )
        )  # fmt: skip
    else:
        for path in paths:
            output.line(path)
        for text in texts:
            diagnostics.say(text)
    if error:
        diagnostics.say(f"{job.id}: {error}")
    elif not paths and not texts:
        diagnostics.say(f"{job.id}: done, and it made no files")
    return following.ENDS[job.state]
