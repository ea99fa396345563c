"""An `ssh` that forwards to this machine: understands -L and -o, and does what FAKE_SSH_SAYS says instead, if it exists.

Run as a program of that name on PATH. It appends its arguments and process id to FAKE_SSH_LOG.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path


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
