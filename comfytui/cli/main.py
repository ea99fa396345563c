"""The command line: which command is meant, and the dashboard if none is."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import click

from comfytui import __version__
from comfytui.cli import diagnostics

if TYPE_CHECKING:
    from pathlib import Path  # a third of what --help would take

    from comfytui.cli.doctor.checks import Checks

# name → (module, attribute, what --help says). The modules are imported when their command runs: --help stays fast.
COMMANDS = {
    "run": ("run", "command", "Run a workflow and write its results."),
    "batch": ("batch", "command", "Run many jobs from a file, on several servers, each once."),
    "watch": ("watch", "command", "Say what happens to jobs, or on a server."),
    "queue": ("listings", "queue", "List what runs and what waits."),
    "history": ("listings", "history", "List finished jobs."),
    "fetch": ("transfer", "fetch", "Save what a job made."),
    "upload": ("transfer", "upload", "Put pictures into the server's input folder."),
    "cancel": ("control", "cancel", "Take jobs out of the queue, or stop them."),
    "interrupt": ("control", "interrupt", "Stop the job that runs."),
    "check": ("check", "command", "Tell what a server lacks for a workflow."),
    "inspect": ("inspect", "command", "Tell what a workflow or a picture says, without a server."),
    "convert": ("convert", "command", "Turn a browser's workflow into one for a server, and back."),
    "nodes": ("listings", "nodes", "List the node classes of a server."),
    "models": ("models", "command", "List the model files of a server."),
    "stats": ("listings", "stats", "Show a server's versions, devices and memory."),
    "logs": ("logs", "command", "Print a server's log."),
    "free": ("control", "free", "Unload a server's models."),
    "servers": ("servers", "command", "List the servers of the settings, add one, remove one."),
    "settings": ("settings", "command", "Show settings, and change one."),
    "engine": ("engine", "command", "Start and stop the engine on this machine."),
    "doctor": ("doctor.command", "command", "Tell what is wrong with terminal, settings and servers, and the fix."),
    "completion": ("completion", "command", "Print what makes a shell complete our commands."),
}
IMAGES = ("auto", "half", "kitty", "sixel", "none", "truecolor", "256", "shades", "off")

# What starts the dashboard: (server, local, settings, workflow) → exit code. Handed in, so that cli/ needs no tui/.
Dashboard = Callable[["str | None", bool, Any, "Path | None"], int]
# What tells the doctor about keys, themes and pictures; set by who starts the program, for the same reason.
CHECKS: ContextVar[Callable[[], Checks] | None] = ContextVar("checks", default=None)


class Commands(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        found: click.Command = getattr(importlib.import_module(f"comfytui.cli.{module}"), attribute)
        found.name = cmd_name
        return found

    # Both print help, and click would end with 1 where nobody reads it.
    def make_context(self, *args: Any, **more: Any) -> click.Context:
        try:
            return super().make_context(*args, **more)
        except BrokenPipeError:
            raise diagnostics.Failed(diagnostics.Exit.PIPE_CLOSED) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise diagnostics.Failed(diagnostics.Exit.PIPE_CLOSED) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="comfytui %(version)s")
@click.option("--server", metavar="URL", help="Connect to this server: an address, or a name of the settings.")
@click.option("--local", is_flag=True, help="Start the engine on this machine, or come back to it.")
@click.option("--theme", metavar="NAME", help="A theme by name, or the path of one.")
@click.option("--images", type=click.Choice(IMAGES), help="How pictures are drawn.")
@click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal.")
@click.option("--workflow", metavar="FILE", help="Open this workflow.")
@click.option("--read-only", is_flag=True, help="Only look: nothing that would change the server is sent.")
@click.option("--record", metavar="FILE", help="Write down what the server sends, with its times.")
@click.option("--replay", metavar="FILE", help="Play a recording back instead of connecting to a server.")
@click.option(
    "--speed", metavar="N", type=click.FloatRange(0, 100_000, min_open=True), help="How fast; 1 is as it was."
)
@click.pass_context
def cli(
    ctx: click.Context,
    server: str | None,
    local: bool,
    theme: str | None,
    images: str | None,
    no_mouse: bool,
    workflow: str | None,
    read_only: bool,
    record: str | None,
    replay: str | None,
    speed: float | None,
) -> None:
    """A terminal dashboard for ComfyUI. Without a command, it starts.

    --record, --replay, --speed and --read-only may also be given before a command.
    """
    if replay and (server or local):
        raise click.UsageError("--replay plays a file: not together with --server or --local.")
    if speed and not replay:
        raise click.UsageError("--speed is for --replay.")
    if record or replay or read_only:
        from pathlib import Path

        from comfytui.cli.taping import taped

        tape = taped(Path(record) if record else None, Path(replay) if replay else None, speed or 1.0, read_only)
        server = ctx.with_resource(tape) or server
        if ctx.invoked_subcommand is not None and replay:
            server = None  # the command asks for it
    if ctx.invoked_subcommand is not None:
        if server or local or theme or images or no_mouse or workflow:
            raise click.UsageError(f"Give options after the command: comfytui {ctx.invoked_subcommand} --server …")
        return
    if server and local:
        raise click.UsageError("--server and --local exclude each other.")
    from pathlib import Path

    import msgspec

    from comfytui.settings import files
    from comfytui.settings.schema import Notify

    settings = files.load()
    changes = {"theme": theme, "images": images, "mouse": False if no_mouse else None}
    settings = msgspec.structs.replace(settings, **{key: value for key, value in changes.items() if value is not None})
    if replay:  # what ended then is no news, and where it was looked at is no place to come back to
        settings = msgspec.structs.replace(settings, remember=False, notify=Notify(jobs="none"))
    code = ctx.obj(server, local, settings, Path(workflow) if workflow else None)
    if code:
        ctx.exit(code)


def main(dashboard: Dashboard, arguments: list[str] | None = None) -> None:
    """Run the command line and leave with an exit code of `diagnostics.Exit`."""
    error: BaseException | None = None
    try:
        code = cli.main(args=arguments, prog_name="comfytui", standalone_mode=False, obj=dashboard)
        error = click.exceptions.Exit(code) if isinstance(code, int) and code else None
    except (Exception, KeyboardInterrupt) as caught:  # all of them are explained or raised again there
        error = caught
    diagnostics.leave(error)
