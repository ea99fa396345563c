"""A tunnel to a server: `ssh -L` as a child process that is watched, opened again when it breaks, and ends with us.

The near end is a Unix socket in a folder that only we may enter, and no port of this machine: ports are open to all
its users, and another program could take ours while the tunnel is being opened again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import shutil
import signal
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from comfytui.client import sanitize
from comfytui.settings.schema import Ssh
from comfytui.settings.servers import ENGINE_TOKEN, TOKEN

OPENING = 30.0  # seconds until an ssh that neither fails nor forwards is given up; a hardware key wants a touch
STEADY = 30.0  # seconds after which an open tunnel counts as good, and waiting begins anew at the shortest
POLL = 0.05  # seconds between looks whether the near end is there
MOST_LINES = 20  # of what ssh says
LONGEST = 90  # bytes of the socket's path: systems allow 103 or more
SELDOM = 300.0  # seconds between tries that will hardly help
# Trying again does not change these, and many tries get an address banned: seldom, for a key may be loaded meanwhile.
HOPELESS = re.compile(
    r"permission denied|too many authentication failures|host key verification failed|bad configuration option|not installed",
    re.IGNORECASE,
)
# ssh must not outlive us, however we end: the pipe that this waits for is closed by the system even after SIGKILL.
# $1 is the near end, which ssh leaves behind when it is killed; the rest is the command.
GUARD = """
near=$1; shift; exec 3<&0
"$@" 3<&- </dev/null & ssh=$!
exec 2>/dev/null
{ read -r _ <&3; rm -f -- "$near"; rmdir -- "${near%/*}"; kill "$ssh"; } & guard=$!
wait "$ssh"; code=$?
kill "$guard"
exit "$code"
"""


class Phase(StrEnum):
    CONNECTING = "connecting"
    UP = "up"
    FAILED = "failed"
    STOPPED = "stopped"


class TunnelStatus(msgspec.Struct, frozen=True):
    """A tunnel at one moment."""

    phase: Phase
    host: str  # user@box, or as ~/.ssh/config calls it
    since: float  # seconds since the epoch, when the phase began
    text: str = ""  # why it is in this phase, for a person; cleaned
    retry_at: float | None = None  # seconds since the epoch, while it has failed
    hopeless: bool = False  # it has failed, and will again until somebody does something about it

    def __str__(self) -> str:
        return f"tunnel: {self.phase}" + (f": {self.text}" if self.text else "")


class TunnelError(RuntimeError):
    """The tunnel is not open. `hopeless`: somebody has to do something about it."""

    def __init__(self, text: str, *, hopeless: bool) -> None:
        super().__init__(text)
        self.hopeless = hopeless


class Tunnel:
    """A tunnel to `port` of `host`, as the box at its other end sees them. Use it from one event loop, and `stop` it."""

    def __init__(
        self,
        ssh: Ssh,
        host: str,
        port: int,
        *,
        command: Sequence[str] = ("ssh",),
        backoff: Callable[[int], float] = lambda failures: min(60.0, 2.0**failures) * random.uniform(0.5, 1.0),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Nothing runs before `start`. `command` replaces ssh; `backoff`: seconds to wait after so many failures."""
        self.ssh = ssh
        self._far = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._command = tuple(command)
        self._backoff = backoff
        self._clock = clock
        self._folder = _private_folder()
        self.path = self._folder / "s"
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._again = asyncio.Event()
        self._changed = asyncio.Event()
        self._callbacks: dict[object, Callable[[TunnelStatus], None]] = {}
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self._status = TunnelStatus(Phase.STOPPED, ssh.destination, clock())

    @property
    def status(self) -> TunnelStatus:
        """The newest status."""
        return self._status

    def subscribe(self, callback: Callable[[TunnelStatus], None]) -> Callable[[], None]:
        """Call `callback` with each new status, in the loop; returns what ends it."""
        token = object()
        self._callbacks[token] = callback
        return lambda: (self._callbacks.pop(token, None), None)[1]

    def start(self) -> None:
        """Begin to open it, and keep it open until `stop`."""
        if self._keeper is None:
            self._set(Phase.CONNECTING)
            self._keeper = asyncio.create_task(self._keep(), name=f"tunnel to {self.ssh.destination}")

    def retry_now(self) -> None:
        """Do not wait any longer: try at once. Nothing happens while it is open."""
        self._again.set()
        if self._status.phase is Phase.FAILED:
            self._set(Phase.CONNECTING)

    async def wait_up(self) -> None:
        """Return once it is open. Raises TunnelError when it has failed or was stopped; it may go on trying all the same."""
        while self._status.phase is Phase.CONNECTING:
            self._changed.clear()
            await self._changed.wait()
        if self._status.phase is not Phase.UP:
            raise TunnelError(self._status.text or "it was closed", hopeless=self._status.hopeless)

    async def stop(self) -> None:
        """Close it for good."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        await self._end()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        self._set(Phase.STOPPED)

    def arguments(self) -> list[str]:
        """The command line. No secret is in it: other users can read the arguments of a process."""
        ssh = self.ssh
        first = ["BatchMode=yes", "StreamLocalBindUnlink=yes"]  # ssh takes what it is told first
        last = [
            "ExitOnForwardFailure=yes",
            "ConnectTimeout=10",
            "ServerAliveInterval=15",  # a dead link is noticed within 45 s
            "ServerAliveCountMax=3",
            "ControlMaster=no",  # a shared connection would keep the tunnel after us
            "ControlPath=none",
            "PermitLocalCommand=no",
            "RemoteCommand=none",
        ]
        flags = ["-N", "-T", "-L", f"{self.path}:{self._far}"]
        for option in (*first, *ssh.options, *last):
            flags += ["-o", option]
        flags += ["-p", str(ssh.port)] if ssh.port else []
        flags += ["-J", ssh.jump] if ssh.jump else []
        flags += ["-i", str(Path(ssh.identity).expanduser())] if ssh.identity else []
        return [*self._command, *flags, "--", ssh.destination]

    # Keeping it open -------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        failures = 0
        while True:
            self._again.clear()
            began = self._clock()
            why = await self._once()
            await self._end()
            was_up = self._status.phase is Phase.UP
            failures = 1 if was_up and self._clock() - began > STEADY else failures + 1
            hopeless = HOPELESS.search(why) is not None
            delay = SELDOM if hopeless else self._backoff(failures - 1)
            self._set(Phase.FAILED, why, self._clock() + delay, hopeless)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._again.wait()
            self._set(Phase.CONNECTING)

    async def _once(self) -> str:
        """Open it and watch it until it ends; returns why."""
        self._lines.clear()
        try:
            self.path.unlink(missing_ok=True)
            if shutil.which(self._command[0]) is None:
                return f"{self._command[0]} is not installed. Install OpenSSH's client"
            self._folder.mkdir(mode=0o700, exist_ok=True)  # whoever cleans up /tmp may have taken it
            self._process = process = await asyncio.create_subprocess_exec(
                *("sh", "-c", GUARD, "tunnel", str(self.path), *self.arguments()),
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=PIPE,
                start_new_session=True,  # without a terminal nothing can ask for a password in the midst of our screen
                env=_environment(),
            )
        except OSError as error:
            return f"ssh cannot be run: {sanitize.line(error.strerror or str(error))}"
        reading = asyncio.create_task(self._read(process))
        ended = asyncio.create_task(process.wait())
        try:
            deadline = time.monotonic() + OPENING
            while not ended.done():
                if await _answers(self.path):
                    self._set(Phase.UP)
                    break
                if time.monotonic() > deadline:
                    return self._why(f"not open after {OPENING:g} s")
                await asyncio.wait([ended], timeout=POLL)
            await ended
            with contextlib.suppress(TimeoutError):  # what it said last; a process that it left may hold the pipe
                await asyncio.wait_for(asyncio.shield(reading), 0.5)
            return self._why(f"ssh ended with code {process.returncode}")
        finally:
            reading.cancel()
            ended.cancel()

    async def _read(self, process: Process) -> None:
        """Keep the last lines that ssh says, cleaned: banners come from the other side."""
        rest = b""
        while process.stderr is not None and (data := await process.stderr.read(4096)):
            *lines, rest = (rest + data).replace(b"\r", b"\n").split(b"\n")
            rest = rest[-4096:]
            self._lines += [shown for line in lines if (shown := sanitize.line(line.decode("utf-8", "replace"), 300))]
        if shown := sanitize.line(rest.decode("utf-8", "replace"), 300):
            self._lines.append(shown)

    def _why(self, otherwise: str) -> str:
        """What ssh said last, and what to do about it."""
        said = next((line for line in reversed(self._lines) if line.strip()), "").rstrip(".")
        low = said.lower()
        by_hand = f"`ssh {self.ssh.destination}`"
        if any("IDENTIFICATION HAS CHANGED" in line for line in self._lines):
            return f"{said}: its host key has changed. Find out why before you trust it"
        if "host key verification failed" in low:
            return f"{said}. Run {by_hand} once in a terminal, and compare and accept its key"
        if "permission denied" in low or "too many authentication" in low:
            return f"{said}. Load your key (ssh-add), or name it (identity); {by_hand} must work without a password"
        if "could not resolve hostname" in low:
            return f"{said}. Is the name right?"
        return said or otherwise

    async def _end(self) -> None:
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()  # the guard ends ssh then
        if process.returncode is None:
            try:
                await asyncio.wait_for(process.wait(), 3.0)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # its session is its own: the guard and ssh, nobody else
                await process.wait()
        self._process = None

    def _set(self, phase: Phase, text: str = "", retry_at: float | None = None, hopeless: bool = False) -> None:
        since = self._status.since if phase is self._status.phase else self._clock()
        status = TunnelStatus(phase, self.ssh.destination, since, text, retry_at, hopeless)
        if status == self._status:
            return
        self._status = status
        self._changed.set()
        for callback in tuple(self._callbacks.values()):
            callback(self._status)


def _environment() -> dict[str, str]:
    """Ours, without what would ask for a password in a window, and without tokens of servers."""
    env = {key: value for key, value in os.environ.items() if key not in (TOKEN, ENGINE_TOKEN, "SSH_ASKPASS")}
    return {**env, "SSH_ASKPASS_REQUIRE": "never"}


def _private_folder() -> Path:
    """A new folder for the near end, of a name that ssh takes as it is: short, and without : % or $."""
    where = tempfile.gettempdir()
    if len(where) > LONGEST - 20 or not re.fullmatch(r"[\w./-]+", where, re.ASCII):
        where = "/tmp"  # noqa: S108 -- mkdtemp makes a folder in it that is ours alone
    return Path(tempfile.mkdtemp(prefix="comfytui-", dir=where))


async def _answers(path: Path) -> bool:
    try:
        async with asyncio.timeout(2.0):
            _, writer = await asyncio.open_unix_connection(str(path))
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
