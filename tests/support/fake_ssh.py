"""An `ssh` that forwards to this machine: understands -L and -o, and does what FAKE_SSH_SAYS says instead, if it exists.

Run as a program of that name on PATH. It appends its arguments and process id to FAKE_SSH_LOG.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any


class FakeSsh:
    """The fake on PATH: what it did, and what it is to say."""

    def __init__(self, folder: Path) -> None:
        """Puts the program into `folder`/bin; `environment` makes it the one that is found."""
        self.log, self.says = folder / "ssh.log", folder / "says"
        self.program = folder / "bin" / "ssh"
        self.program.parent.mkdir()
        self.program.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "{__file__}" "$@"\n')
        self.program.chmod(0o755)
        self.environment = {
            "PATH": f"{self.program.parent}:{os.environ['PATH']}",
            "FAKE_SSH_LOG": str(self.log),
            "FAKE_SSH_SAYS": str(self.says),
            "SSH_ASKPASS": "/bin/false",
        }

    def calls(self) -> list[dict[str, Any]]:
        """What it was called with, oldest first."""
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def forward(path: str, host: str, port: int) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:
            print("channel 2: open failed: connect failed: Connection refused", file=sys.stderr, flush=True)
            writer.close()
            return
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    server = await asyncio.start_unix_server(accept, path)
    async with server:
        await server.serve_forever()


def main() -> None:
    arguments = sys.argv[1:]
    known = {"pid": os.getpid(), "arguments": arguments, "askpass": "SSH_ASKPASS" in os.environ}
    known["terminal"] = any(os.isatty(fd) for fd in (0, 1, 2))
    with Path(os.environ["FAKE_SSH_LOG"]).open("a") as log:
        log.write(json.dumps(known) + "\n")
    says = Path(os.environ["FAKE_SSH_SAYS"])
    if says.exists():
        sys.stderr.write(says.read_text())
        sys.exit(255)
    path, host, port = arguments[arguments.index("-L") + 1].rsplit(":", 2)
    asyncio.run(forward(path, host, int(port)))


if __name__ == "__main__":
    main()
