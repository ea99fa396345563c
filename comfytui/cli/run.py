"""`comfytui run`: queues a workflow, waits for it, and writes its results."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from comfytui.cli import diagnostics, output, session
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.cli.progress import Progress
from comfytui.client import downloads
from comfytui.client.errors import ClientError, Missing, Refused
from comfytui.settings import files, servers
from comfytui.state.connection import Connection
from comfytui.state.model import Job, JobState, Output, Phase, ServerState
from comfytui.workflow import document, inputs, seeds
from comfytui.workflow.check import Problem, check

ENDS = {
    JobState.DONE: Exit.OK,
    JobState.FAILED: Exit.JOB_FAILED,
    JobState.INTERRUPTED: Exit.INTERRUPTED,
    JobState.LOST: Exit.LOST,
}
ATTEMPTS = 20  # to read a finished job: a server says that it is done before its history has it
PAUSE = 0.1


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


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """One finished job, as `--json` prints it."""

    prompt_id: str
    state: str
    seed: int | None
    files: tuple[str, ...]
    seconds: float | None = None
    texts: tuple[str, ...] = ()
    error: str = ""


class Variant(msgspec.Struct, frozen=True):
    """One of the runs that `--count` asks for."""

    graph: Mapping[str, Any]
    seed: int | None


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--server", metavar="URL", help="Address or name of the server.")
@click.option("--local", is_flag=True, help="Use an engine on this machine; start one if none listens.")
@click.option(
    "--set", "assignments", metavar="NODE.INPUT=VALUE", multiple=True, help="Change an input; may be repeated."
)
@click.option("--seed", metavar="N|random", help="Set every seed of the workflow.")
@click.option("--count", type=click.IntRange(1, 10_000), default=1, help="How many runs, each with its own seed.")
@click.option("--output", "folder", metavar="DIR", type=click.Path(path_type=Path), help="Where results are written.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each run.")
@click.option("--front", is_flag=True, help="Queue before everything that waits.")
@click.option(
    "--no-wait", "wait", is_flag=True, flag_value=False, default=True, help="Queue, print the ids, and leave."
)
@click.option(
    "--patience", type=click.FloatRange(0), default=60.0, metavar="SECONDS", help="How long a server may be away."
)
def command(file: Path, **options: Any) -> None:
    """Run the workflow in FILE: API-format JSON, or a picture that ComfyUI saved.

    - reads from stdin. Writes the results and prints their paths, one on a line. NODE is the id, title or class of a node; without it,
    INPUT is what the input means, as in --set positive="a cat" or --set steps=12. With --count, seeds count up from
    the workflow's or the given one; with --seed random each run has its own.
    """
    given = Options(**options)
    if given.server and given.local:
        raise click.UsageError("--server and --local exclude each other.")
    if given.local and not given.wait:
        raise click.UsageError("--no-wait needs a server that stays: not --local.")
    found = _stdin() if str(file) == "-" else document.read(file)
    session.run(_run(found, variants(found, given), given))


def _stdin() -> document.Document:
    return document.parse(sys.stdin.buffer.read(document.MAX_BYTES + 1), "stdin")


def variants(found: document.Document, options: Options) -> list[Variant]:
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


async def _run(found: document.Document, wanted: Sequence[Variant], options: Options) -> None:
    folder = _folder(options)
    async with session.connected(options.server, local=options.local, remember=not options.local) as connection:
        ids = [await _submit(connection, found, each, options.front) for each in wanted]
        if not options.wait:
            for prompt_id, each in zip(ids, wanted, strict=True):
                output.json({"prompt_id": prompt_id, "seed": each.seed}) if options.as_json else output.line(prompt_id)
            return
        try:
            worst = await _collect(connection, ids, wanted, folder, options)
        except asyncio.CancelledError:
            _say_goodbye(connection, ids, options)
            raise
    if worst is not Exit.OK:
        raise Failed(worst)


def _folder(options: Options) -> Path:
    """Where results go. That it can be made is found out before anything is computed, and not after."""
    folder = options.folder or Path(files.load().output_dir).expanduser()
    if options.wait:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Failed(Exit.FILES, f"{folder} cannot be made: {error.strerror or error}") from error
    return folder


async def _submit(connection: Connection, found: document.Document, variant: Variant, front: bool) -> str:
    """Queue one variant. A refusal is completed with everything that is wrong: the server names only the first."""
    # The UI form is what a browser would restore from the picture: a wrong one is worse than none.
    workflow = found.workflow if variant.graph == found.graph else None
    try:
        submitted = await connection.submit(
            variant.graph, name=found.name, workflow=workflow, front=front, previews=False, hold=False
        )
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


async def _collect(
    connection: Connection, ids: Sequence[str], wanted: Sequence[Variant], folder: Path, options: Options
) -> Exit:
    """Wait for the jobs one after the other, and write and print each as it ends."""
    progress = Progress(ids)
    unsubscribe = connection.subscribe(progress)
    worst = Exit.OK
    try:
        for prompt_id, variant in zip(ids, wanted, strict=True):
            ended = await _wait(connection, prompt_id, options.patience)
            job = await _complete(connection, ended)
            results = await _save(connection, job, folder)
            progress.flush(connection.state)
            progress.clear()
            code = _report(job, variant, results, options.as_json)
            worst = worst or code
    finally:
        unsubscribe()
        progress.clear()
    return worst


async def _wait(connection: Connection, prompt_id: str, patience: float) -> Job:
    """The job, once it has ended. Raises Failed if the server stays away for longer than `patience` seconds."""
    changed = asyncio.Event()
    unsubscribe = connection.subscribe(lambda _: changed.set())
    loop = asyncio.get_running_loop()
    away_since: float | None = None
    seen = False
    try:
        while True:
            state = connection.state
            job = state.jobs.get(prompt_id)
            if job is not None and job.state in ENDS:
                return job
            if job is None and seen:  # somebody deleted it, its history entry included
                raise Failed(Exit.LOST, f"{prompt_id}: {Exit.LOST.meaning}")
            seen = job is not None
            away_since = None if _there(state) else away_since or loop.time()
            if away_since is not None and loop.time() - away_since >= patience:
                text = state.link.error or f"{state.link.url} does not answer"
                raise Failed(Exit.UNREACHABLE, f"{text}\nThe job may go on there: its id is {prompt_id}")
            changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if away_since is None else 1.0):
                    await changed.wait()
    finally:
        unsubscribe()


def _there(state: ServerState) -> bool:
    return state.link.phase is Phase.LIVE


async def _complete(connection: Connection, job: Job) -> Job:
    """The job with its outputs. The history may have it a moment later than the event that it is done."""
    for attempt in range(ATTEMPTS):
        if job.outputs or job.state is not JobState.DONE:
            break
        with contextlib.suppress(Missing):
            await connection.load_job(job.id)
            job = connection.state.jobs.get(job.id, job)
            if attempt:  # it is in the history and has no outputs: then there are none
                break
        await asyncio.sleep(PAUSE)
    return job


def chosen(outputs: Sequence[Output]) -> list[Output]:
    """The files to fetch: what was saved; if nothing was, the previews."""
    named = [each for each in outputs if each.filename]
    return [each for each in named if each.type == "output"] or named


async def _save(connection: Connection, job: Job, folder: Path) -> list[Path]:
    found: list[Path] = []
    for each in chosen(job.outputs):
        data = await connection.fetch(each)
        try:
            found.append(await asyncio.to_thread(downloads.save, folder, each.filename, data))
        except OSError as error:
            where = error.filename or folder
            text = (
                f"{where} cannot be written: {error.strerror or error}\nThe results are still on the server: {job.id}"
            )
            raise Failed(Exit.FILES, text) from error
    return found


def _report(job: Job, variant: Variant, results: Sequence[Path], as_json: bool) -> Exit:
    """Print one job's results, and say why it failed if it did."""
    texts = tuple(each.text for each in job.outputs if each.text is not None)
    failure = job.failure
    error = ""
    if failure is not None:
        where = f"node {failure.node_id} ({failure.node_type}): " if failure.node_id else ""
        kind = f"{failure.exception_type}: " if failure.exception_type else ""
        error = f"{where}{kind}{failure.message.strip()}"
    elif job.state is not JobState.DONE:
        error = ENDS[job.state].meaning
    paths = tuple(str(path) for path in results)
    if as_json:
        output.json(Result(job.id, job.state, variant.seed, paths, job.seconds, texts, error))
    else:
        for path in paths:
            output.line(path)
        for text in texts:
            diagnostics.say(text)
    if error:
        diagnostics.say(f"{job.id}: {error}")
    elif not paths and not texts:
        diagnostics.say(f"{job.id}: done, and it made no files")
    return ENDS[job.state]


def _say_goodbye(connection: Connection, ids: Sequence[str], options: Options) -> None:
    """After ctrl-C: what happens to the jobs, and how to come back to them."""
    jobs = connection.state.jobs
    left = [each for each in ids if each not in jobs or jobs[each].state not in ENDS]
    if not left:
        return
    if options.local:
        diagnostics.say("\nstopped; so is the local engine if this command started it, and the job with it")
        return
    url, _ = servers.meant(files.load(), options.server)  # as it was named: its credentials are found by that
    diagnostics.say(
        f"\nstopped watching; {len(left)} {'job goes' if len(left) == 1 else 'jobs go'} on at {url}:\n"
        + "".join(f"  {each}\n" for each in left)
        + f"see them:     comfytui queue --server {url}\n"
        + f"the results:  comfytui history --server {url}\n"
        + f"stop one:     comfytui cancel {left[0]} --server {url}"
    )
