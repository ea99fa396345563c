"""The life of the front process: lock the folders, answer the port, start the worker, and stop in order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import logging
import os
import resource
import shutil
import signal
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

from aiohttp import web

from engine.files.folders import FolderError, Folders
from engine.jobs.dispatch import Dispatcher
from engine.jobs.store import JobStore, StoreError
from engine.options import Options, to_json, without_effect
from engine.server import app as application
from engine.server import limits
from engine.server.access import gate, secret
from engine.server.hub import Hub
from engine.server.journal import Entry, Journal
from engine.server.routes.logs import SIZE
from engine.server.services import Services
from engine.worker import messages
from engine.worker.supervisor import Supervisor, WorkerUnavailableError, worker_command

log = logging.getLogger("engine")
_worker_log = logging.getLogger("engine.worker")

_OTHER_FILES = 1_000  # open at a time besides WebSockets: requests, the database, pictures on their way
STATE_FOLDER = "comfytui"  # below the user folder: the job store and the lock


class StartError(Exception):
    """The engine cannot start; the message says why and what to do."""


async def serve(options: Options, journal: Journal, argv: tuple[str, ...]) -> None:
    """Run until SIGTERM or SIGINT. Raises `StartError` before anything is served."""
    try:
        options = gate.prepare(options, os.environ)
        folders = Folders.from_options(options)
        folders.create()
    except (FolderError, ValueError) as error:
        raise StartError(str(error)) from error
    with _locked(folders.user / STATE_FOLDER) as state:
        _empty(folders.temp)
        _make_room_for_sockets()
        shared = _services(options, folders, journal, state, argv)
        runner = web.AppRunner(application.make(shared), access_log=None, shutdown_timeout=2.0)
        await runner.setup()
        try:
            for sentence in (*gate.warnings(options), *without_effect(options)):
                log.warning("%s", sentence)
            await _listen(runner, options)
            shared.store.start()
            shared.worker.start()
            await _until_stopped(shared)
        finally:
            await _stop(shared, runner)
            _empty(folders.temp)


def _services(options: Options, folders: Folders, journal: Journal, state: Path, argv: tuple[str, ...]) -> Services:
    hub, store = Hub(), JobStore(None if options.volatile else state / "jobs.sqlite")

    def on_message(message: messages.FromWorker) -> None:
        if isinstance(message, messages.Log):
            _worker_log.info("%s", message.text.rstrip("\n"))
        else:
            dispatcher.on_message(message)

    def on_ready(ready: messages.Ready) -> None:
        log.info("The worker is ready: %d nodes, PyTorch %s", ready.nodes, ready.pytorch_version)
        for module, reason in ready.import_failures.items():
            log.warning("Custom nodes of %s are left out: %s", module, reason)
        dispatcher.on_ready()

    def on_death(reason: str) -> None:
        dispatcher.on_death(reason)
        hub.notify(f"{reason.splitlines()[0]}; it is started again, and what waits will run.")

    def publish(clients: set[str], entries: list[Entry]) -> None:
        for client in clients:
            hub.tell(client, "logs", {"entries": entries, "size": SIZE})

    worker = Supervisor(
        worker_command(to_json(options)),
        on_message=on_message,
        on_ready=on_ready,
        on_death=on_death,
        on_line=lambda line: _worker_log.info("%s", line),
    )
    dispatcher = Dispatcher(
        store, worker, hub, run_again=options.on_restart == "rerun", history_limit=options.history_limit
    )
    journal.publish = publish
    return Services(options, folders, hub, journal, store, worker, dispatcher, secret.shown_arguments(argv))


async def _listen(runner: web.AppRunner, options: Options) -> None:
    """Bind every address and say so, in the words that scripts wait for. Raises `StartError`."""
    tls = _tls(options)
    port = options.port
    level = logging.DEBUG if options.dont_print_server else logging.INFO
    log.log(level, "Starting server")
    for address in options.addresses:
        site = web.TCPSite(runner, address, port, ssl_context=tls, backlog=512)
        try:
            await site.start()
        except OSError as error:
            raise StartError(_cannot_listen(address, port, error)) from error
        if port == 0:
            port = runner.addresses[-1][1]  # the other addresses take the same one
        shown = f"[{address}]" if ":" in address else address
        log.log(level, "To see the GUI go to: %s://%s:%d", "http" if tls is None else "https", shown, port)


async def _until_stopped(shared: Services) -> None:
    """Restore the queue, then wait for a signal."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup asks to outlive the terminal
            loop.add_signal_handler(number, stop.set)
    try:
        await shared.dispatcher.restore()
    except StoreError as error:
        raise StartError(f"the queue cannot be kept: {error}") from error
    if shared.options.quick_test_for_ci:
        try:
            await shared.worker.wait_ready(600)
        except WorkerUnavailableError as error:
            raise StartError(str(error)) from error
        return
    await stop.wait()
    log.info("Stopping")


async def _stop(shared: Services, runner: web.AppRunner) -> None:
    """Worker first: then nothing comes for sockets that are closing, and the store has heard everything."""
    shared.dispatcher.stop()
    await shared.worker.stop()
    shared.hub.stopping.set()
    await runner.cleanup()
    await shared.store.close()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[Path]:
    """Make `folder` and hold it: two engines with one queue would run each other's jobs. Raises `StartError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StartError(f"cannot write to {folder}: {error.strerror}; choose another --user-directory") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 64, 0).decode("ascii", "replace").strip()
            who = f" (process {holder})" if holder.isdecimal() else ""
            raise StartError(
                f"another engine{who} uses the folders of {folder.parent}; "
                "stop it, or choose another --base-directory or --user-directory"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield folder
    finally:
        os.close(descriptor)


def _make_room_for_sockets() -> None:
    """Allow as many open files as `limits.SOCKETS` need: many systems begin with 1,024, and let a process ask for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.SOCKETS + _OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.info("%d files may be open here, so there is room for that many connections at most (ulimit -n)", allowed)


def _empty(temp: Path) -> None:
    """Temporary pictures live as long as the process. Only what lies in the folder goes, never the folder."""
    try:
        entries = list(os.scandir(temp))
    except FileNotFoundError:
        return
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                Path(entry.path).unlink()
        except OSError as error:
            log.warning("A temporary file stays: %s", error)


def _tls(options: Options) -> ssl.SSLContext | None:
    if options.tls_certfile is None and options.tls_keyfile is None:
        return None
    if options.tls_certfile is None or options.tls_keyfile is None:
        raise StartError("TLS needs both --tls-keyfile and --tls-certfile")
    for flag, name in (("--tls-certfile", options.tls_certfile), ("--tls-keyfile", options.tls_keyfile)):
        try:
            Path(name).expanduser().read_bytes()  # the library's own error does not say which of the two it could not
        except OSError as error:
            raise StartError(f"{flag} {name} cannot be read: {error.strerror}") from error
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate, key = Path(options.tls_certfile).expanduser(), Path(options.tls_keyfile).expanduser()
    try:
        # Without the last argument OpenSSL would ask for a password on the terminal, and wait.
        context.load_cert_chain(certificate, key, _no_password)
    except (OSError, ssl.SSLError) as error:
        raise StartError(f"cannot use {options.tls_certfile} with {options.tls_keyfile}: {error}") from error
    return context


def _no_password() -> str:
    raise StartError("the key of --tls-keyfile has a password: write one without, with: openssl pkey -in KEY -out NEW")


def _cannot_listen(address: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {address} is taken by another program; choose one with --port, or stop it"
    if error.errno == errno.EACCES:
        return f"port {port} needs more rights; choose one above 1023 with --port"
    return f"cannot listen on {address}, port {port}: {error.strerror or error}"


def set_up_logging(options: Options, journal: Journal) -> None:
    """Lines go to stderr (stdout with `--log-stdout`) and into the journal."""
    stream = logging.StreamHandler(sys.stdout if options.log_stdout else sys.stderr)
    stream.setFormatter(logging.Formatter("%(message)s"))
    root = logging.getLogger()
    root.setLevel(options.verbose)
    root.handlers[:] = [stream, journal]
