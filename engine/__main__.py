"""`python -m engine`: the local engine on its port."""

from __future__ import annotations

import asyncio
import gc
import sys

from engine.options import parse


def main() -> int:
    """Run until a signal ends it; 1 if it cannot start, 2 for a wrong command line."""
    options = parse()
    # After the options, so that --help and a wrong flag answer at once.
    from engine.server.journal import Journal
    from engine.server.run import StartError, serve, set_up_logging

    journal = Journal()
    set_up_logging(options, journal)
    gc.freeze()  # what was imported stays: collections need not look at it again
    try:
        asyncio.run(serve(options, journal, tuple(sys.argv)))
    except StartError as error:
        sys.stderr.write(f"comfytui engine: {error}\n")
        return 1
    except KeyboardInterrupt:  # before the signal handlers were set
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
