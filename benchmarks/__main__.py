"""`python -m benchmarks [NAME…]` runs the measurements and prints a line each."""

from __future__ import annotations

import importlib
import sys

NAMES = (
    *("start", "idle", "echo", "link", "preview_frame", "absorb", "history_rows", "catalog", "servers"),
    *("headless", "convert", "batch"),
    *("engine_start", "engine_memory", "engine_overhead", "engine_durability"),
    *("engine_answers", "engine_history", "engine_sockets", "sampling_step"),
)


def main() -> int:
    chosen = sys.argv[1:] or NAMES
    if unknown := [n for n in chosen if n not in NAMES]:
        print(f"unknown: {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in chosen:
        for result in importlib.import_module(f"benchmarks.{name}").run():
            print(result.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
