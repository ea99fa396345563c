"""`comfytui batch`: runs the jobs of a file, on several servers, and never twice what is done."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from comfytui.cli import batch_report, diagnostics, output, saving, session
from comfytui.cli.batch_report import Planned
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.cli.options import json_option, server_names
from comfytui.cli.shapes import BatchReport
from comfytui.client import downloads
from comfytui.client import messages as m
from comfytui.client.errors import ClientError, Missing, Unreachable
from comfytui.opening import Opened, open_profile
from comfytui.settings import files
from comfytui.state.batch import driver
from comfytui.state.batch.lane import Lane, Server, Work
from comfytui.state.batch.ledger import End, Ledger, LedgerError
from comfytui.workflow import document, forms, queueing, variations
from comfytui.workflow.document import Document
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.runnable import runnable
from comfytui.workflow.variations import JobFile, RowFile, Source, Variation
from comfytui.workflow.wildcards import Wildcards

IN_FLIGHT, RETRIES = 2, 2
SUFFIX = ".state.jsonl"


class Options(msgspec.Struct, frozen=True):
    """The command line of `batch`."""

    servers: tuple[str, ...]
    in_flight: int | None
    retries: int | None
    folder: Path | None
    save: bool
    sheet: Path | None
    table: Path | None
    dry_run: bool
    restart: bool
    failed: bool
    patience: float
    cancel_on_exit: bool
    as_json: bool


class Batch(msgspec.Struct, frozen=True):
    """A job file with all that it names."""

    file: JobFile
    documents: Mapping[str, Document]
    rows: Mapping[str, RowFile]

    @property
    def state(self) -> Path:
        return self.file.path.with_name(self.file.path.name + SUFFIX)


@click.command()
@click.argument("file", metavar="JOBS", type=click.Path(path_type=Path))
@click.option(
    "--server", "servers", metavar="NAME|URL", multiple=True, shell_complete=server_names,
    help="Use this server instead of those in JOBS; may be repeated.",
)  # fmt: skip
@click.option("--in-flight", type=click.IntRange(1, 256), metavar="N", help="How many jobs a server has at once (2).")
@click.option("--retries", type=click.IntRange(0, 100), metavar="N", help="How often one is tried again (2).")
@click.option(
    "--output", "-o", "folder", metavar="DIR", type=click.Path(path_type=Path), help="Where results are written."
)
@click.option("--no-save", "save", is_flag=True, flag_value=False, default=True, help="Leave results on the servers.")
@click.option("--sheet", metavar="PNG", type=click.Path(path_type=Path), help="Draw a contact sheet of the results.")
@click.option("--table", metavar="CSV", type=click.Path(path_type=Path), help="Write a table of the results.")
@click.option("--dry-run", is_flag=True, help="Print the jobs, how many, and how long they take. Send nothing.")
@click.option("--restart", is_flag=True, help="Forget what is done, and begin anew.")
@click.option("--failed", is_flag=True, help="Also run again what failed for good, or was interrupted.")
@click.option(
    "--patience", type=click.FloatRange(0), default=60.0, metavar="SECONDS", help="How long a server may be away."
)
@click.option("--cancel-on-exit", is_flag=True, help="Ctrl-C takes the jobs out of the queues.")
@json_option
def command(file: Path, **options: Any) -> None:
    """Run the jobs of JOBS (YAML, TOML or JSON): workflows with sweeps, rows of a CSV file and seeds, on one or more servers.

    What is done is kept in JOBS.state.jsonl. Stopped in the middle, by whatever, the same command goes on. Prints a
    report at the end.
    """
    given = Options(**options)
    found = variations.read_job_file(file)
    if given.dry_run and (given.restart or given.sheet or given.table):
        raise click.UsageError("--dry-run writes nothing: not together with --restart, --sheet or --table.")
    if given.sheet and not given.save:
        raise click.UsageError("--sheet needs the pictures: not together with --no-save.")
    batch = Batch(found, _documents(found), _rows(found))
    if given.dry_run and all(each.graph for each in batch.documents.values()):
        _tell_plan(
            batch, given, {name: Source(each) for name, each in batch.documents.items()}, len(_servers(batch, given))
        )
        return
    session.run(_run(batch, given))


def _documents(found: JobFile) -> dict[str, Document]:
    names = dict.fromkeys(name for part in found.parts for name in part.workflows)
    return {name: document.read(found.beside(name)) for name in names}


def _rows(found: JobFile) -> dict[str, RowFile]:
    names = dict.fromkeys(part.rows for part in found.parts if part.rows)
    return {name: variations.read_rows(found.beside(name)) for name in names}


def _servers(batch: Batch, options: Options) -> Sequence[str | None]:
    return options.servers or batch.file.servers or (None,)


@contextlib.contextmanager
def _ledger(batch: Batch, restart: bool) -> Any:
    try:
        ledger = Ledger(batch.state, restart=restart)
    except LedgerError as error:
        raise Failed(Exit.FILES, str(error)) from error
    try:
        yield ledger
    finally:
        ledger.close()


def _tell_plan(batch: Batch, options: Options, sources: Mapping[str, Source], servers: int) -> None:
    """The jobs, without sending or writing anything."""
    ends: Mapping[str, End] = {}
    salt = ""
    if batch.state.exists():
        with _ledger(batch, False) as ledger:
            ends, salt = dict(ledger.ended), ledger.batch
    planned = Planned(batch.file.path, batch.state, variations.plan(batch.file.parts, sources, batch.rows, salt), ends)
    report = batch_report.report(planned, servers=servers, dry=True)
    output.json(report) if options.as_json else batch_report.print_plan(report)


# Running -------------------------------------------------------------------------------------------------------------


async def _run(batch: Batch, options: Options) -> None:
    if not options.dry_run and not options.restart and await asyncio.to_thread(_nothing_left, batch, options):
        return
    async with contextlib.AsyncExitStack() as stack:
        lanes_of = await stack.enter_async_context(_opened(_servers(batch, options)))
        if options.dry_run:
            info = await _object_info([opened.connection.target for opened in lanes_of])
            sources = {name: Source(runnable(each, info).document, info) for name, each in batch.documents.items()}
            _tell_plan(batch, options, sources, len(lanes_of))
            return
        ledger = stack.enter_context(_ledger(batch, options.restart))
        await _drive(batch, options, lanes_of, ledger, stack)


def _nothing_left(batch: Batch, options: Options) -> bool:
    """Whether all is done already; then it is told, and the table and the sheet are written, without any server."""
    if not batch.state.exists() or not all(each.graph for each in batch.documents.values()):
        return False
    sources = {name: Source(each) for name, each in batch.documents.items()}
    with _ledger(batch, False) as ledger:
        try:
            jobs = variations.plan(batch.file.parts, sources, batch.rows, ledger.batch)
        except WorkflowError:  # a server's declarations may know better
            return False
        planned = Planned(batch.file.path, batch.state, jobs, ledger.ended)
        if any((end := ledger.ended.get(job.key)) is None or _again(end, options) for job in jobs):
            return False
        diagnostics.say("nothing is left to do")
        _tell(batch_report.report(planned, servers=1), planned, options)
    if (code := batch_report.worst(planned)) is not Exit.OK:
        raise Failed(code)
    return True


def _tell(report: BatchReport, planned: Planned, options: Options) -> None:
    _write(options, planned)
    output.json(report) if options.as_json else batch_report.print_report(report)


@contextlib.asynccontextmanager
async def _opened(names: Sequence[str | None]) -> AsyncIterator[list[Opened]]:
    """The servers by their names or addresses, with what opens the way to them; nothing is sent yet."""
    settings = files.load()
    async with contextlib.AsyncExitStack() as stack:
        found: list[Opened] = []
        for name in names:
            wanted = session.REPLAYED.get() or name
            opened = await open_profile(settings, wanted, remember=False, variable=len(names) == 1)
            stack.push_async_callback(opened.close)
            if opened.connection.target.place not in [each.connection.target.place for each in found]:
                found.append(opened)
        yield found


async def _object_info(targets: Sequence[Any]) -> Mapping[str, Any]:
    from comfytui.client.http import Http

    async with Http(targets[0]) as http:
        return await http.object_info()


def _server(opened: Opened) -> Server:
    tunnel = opened.tunnel

    async def ready() -> None:
        from comfytui.tunnel import TunnelError

        if tunnel is not None:
            try:
                await tunnel.wait_up()
            except TunnelError as error:
                raise Unreachable(f"The tunnel to {tunnel.ssh.destination}: {error}.") from error

    connection = opened.connection
    return Server(opened.name, connection.target, ready if tunnel is not None else None, connection.read_only)


async def _drive(
    batch: Batch, options: Options, servers: Sequence[Opened], ledger: Ledger, stack: contextlib.AsyncExitStack
) -> None:
    folder = options.folder or batch.file.beside(batch.file.output or f"{batch.file.path.stem}-results")
    retries = options.retries if options.retries is not None else batch.file.retries
    in_flight = options.in_flight or batch.file.in_flight or IN_FLIGHT
    by_key: dict[str, tuple[int, Variation]] = {}

    async def results(lane: Lane, work: Work, entry: m.HistoryEntry) -> tuple[str, ...]:
        return await _save(lane, work, entry, folder) if options.save else ()

    lanes = [
        Lane(
            _server(each), ledger, retries=RETRIES if retries is None else retries, patience=options.patience,
            results=results, said=diagnostics.say,
        )
        for each in servers
    ]  # fmt: skip
    for lane in lanes:
        stack.push_async_callback(lane.close)
    lanes = await driver.opened(lanes, diagnostics.say)
    lanes[0].http.may_change()
    sources = await _sources(batch, lanes)
    planned = Planned(
        batch.file.path, batch.state, variations.plan(batch.file.parts, sources, batch.rows, ledger.batch), ledger.ended
    )
    by_key.update({job.key: (number, job) for number, job in enumerate(planned.jobs, 1)})
    wanted = [
        _work(number, job)
        for number, job in by_key.values()
        if (end := ledger.ended.get(job.key)) is None or _again(end, options)
    ]
    if options.save:
        saving.made(folder)
    places = [lane.place for lane in lanes]
    counter = batch_report.Counter(planned, len(wanted), batch_report.estimate(planned, len(lanes), places))
    counter.begin()
    began = time.monotonic()
    left: list[Work] = []
    try:
        left = await driver.drive(lanes, ledger, wanted, in_flight, counter.ended, counter.say)
    except asyncio.CancelledError:
        counter.clear()
        await _leave(batch, lanes, ledger, planned, options)
        raise
    counter.clear()
    report = batch_report.report(planned, seconds=time.monotonic() - began, servers=len(lanes))
    await asyncio.to_thread(_tell, report, planned, options)
    if left:
        raise Failed(
            Exit.UNREACHABLE, f"{len(left)} jobs are left: no server that has or could take them answers\n{_on(batch)}"
        )
    if (code := batch_report.worst(planned)) is not Exit.OK:
        raise Failed(code)


def _again(end: End, options: Options) -> bool:
    return end.state == "returned" or (end.state != "done" and (end.passing or options.failed))


async def _sources(batch: Batch, lanes: Sequence[Lane]) -> dict[str, Source]:
    """The workflows as graphs, with the declarations of the first server: values are checked before one is sent."""
    info = None
    if any(not each.graph for each in batch.documents.values()):
        info = await lanes[0].http.object_info()
    elif any(_sets(part) for part in batch.file.parts):
        with contextlib.suppress(ClientError):  # the server refuses what is wrong, one job after the other
            info = await lanes[0].http.object_info()
    return {
        name: Source(each if info is None else runnable(each, info).document, info)
        for name, each in batch.documents.items()
    }


def _sets(part: variations.Part) -> bool:
    return bool(part.set or part.grid or part.zip or part.rows)


def _work(number: int, job: Variation) -> Work:
    async def body() -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        graph = variations.graph_of(job)
        found, info = job.source.document, job.source.object_info
        embedded = None
        if found.workflow is not None:
            embedded = await asyncio.to_thread(forms.embedded, found, graph, info)
        told: dict[str, Any] = {} if embedded is None else {"workflow": embedded}
        if queueing.may_change(graph):
            wildcards = Wildcards(files.load().wildcard_folders)
            sent = await asyncio.to_thread(
                queueing.ready, graph, info, wildcards, now=datetime.now(), workflow=embedded
            )
            graph = sent.graph
            if sent.templates:
                told["comfytui"] = {"templates": sent.templates}
        return graph, {"extra_pnginfo": told} if told else {}

    return Work(job.key, number, f"{job.source.name} #{number}", body)


async def _save(lane: Lane, work: Work, entry: m.HistoryEntry, folder: Path) -> tuple[str, ...]:
    """Fetch what the job made. Names are the job's own, so that a second try replaces what the first began."""
    named = [each for each in entry.outputs if each.filename]
    chosen = [each for each in named if each.type == "output"] or named
    start = f"{work.number:05}_{work.key[:6]}{work.key[20:]}_"
    found: list[str] = []
    for index, each in enumerate(chosen):
        try:
            data = await lane.http.view(each.raw or m.RawName(each.filename, each.subfolder, each.type))
        except Missing as error:
            diagnostics.say(f"{work.name}: {error}")
            continue
        twin = any(one.filename == each.filename for one in chosen[:index])
        path = folder / downloads.safe_name(f"{start}{f'{index}_' if twin else ''}{downloads.safe_name(each.filename)}")
        try:
            await asyncio.to_thread(downloads.replace, path, data)
        except OSError as error:
            why = error.strerror or str(error)
            raise Failed(Exit.FILES, f"{path} cannot be written: {why}\nThe results are still on the server") from error
        found.append(str(path))
    return tuple(found)


async def _leave(batch: Batch, lanes: Sequence[Lane], ledger: Ledger, planned: Planned, options: Options) -> None:
    """Ctrl-C: what was sent goes on there, and is found again; or is taken back."""
    out = {each.id: each for key, each in ledger.sent.items() if key not in ledger.ended}
    told = f"{len(out)} jobs were sent and go on"
    if options.cancel_on_exit:
        taken: list[str] = []
        try:
            async with asyncio.timeout(5):
                for lane in lanes:
                    taken += await lane.take_back([each for each, sent in out.items() if sent.server == lane.place])
            for each in taken:
                ledger.end(End(out[each].key, each, "returned", out[each].server))
            told = f"{len(taken)} jobs were taken out of the queue"
        except (ClientError, TimeoutError) as error:
            told = f"not cancelled: {str(error) or 'the server does not answer'}; {told}"
    ends = sum(1 for job in planned.jobs if job.key in ledger.ended)
    diagnostics.say(f"\nstopped; {ends} of {len(planned.jobs)} jobs have ended, {told}\n{_on(batch)}")


def _on(batch: Batch) -> str:
    return f"go on with:  comfytui batch {batch.file.path}"


def _write(options: Options, planned: Planned) -> None:
    from comfytui.cli import batch_sheet

    if options.table is not None:
        batch_sheet.write_table(options.table, planned)
    if options.sheet is not None:
        batch_sheet.write_sheet(options.sheet, planned)
