"""The worker process: `python -m engine.worker.main OPTIONS_JSON --fd N`, started by the supervisor."""

from __future__ import annotations

import argparse
import ctypes
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module

from engine.custom import load
from engine.files.folders import Folders
from engine.options import Options, from_json
from engine.worker import logs
from engine.worker.line import Line
from engine.worker.messages import Ready

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# What the first prompt with a model needs. Importing it takes seconds, which nobody has to wait for: the worker takes
# prompts before, and does this while there are none. In pieces, so that a prompt waits for one of them at most.
_LATER = (
    "transformers",
    "transformers.models.clip.tokenization_clip",
    "diffusers",
    "diffusers.models.autoencoders.autoencoder_kl",
    "diffusers.models.unets.unet_2d_condition",
)


def main(argv: Sequence[str] | None = None) -> None:
    """Serve the front on the inherited socket until it says to stop or goes away."""
    parser = argparse.ArgumentParser(description="A worker of the engine; it is started by the engine itself.")
    parser.add_argument("options", help="the engine's options as JSON")
    parser.add_argument("--fd", type=int, required=True, help="the inherited socket to the front")
    arguments = parser.parse_args(argv)
    options = from_json(arguments.options)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl+c is for the front, which tells us
    _end_with_the_front()
    line = Line(socket.socket(fileno=arguments.fd))
    logs.install(line, options.verbose)
    _serve(line, options)


def _end_with_the_front() -> None:
    """Have the kernel kill this process when the front is gone, however it went.

    The listening thread notices the closed line too, but not while a node holds the interpreter in native code; a
    GPU must not stay occupied by a worker that nobody can reach. Where the kernel cannot, the line has to do.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        log.warning("The worker may outlive the engine: %s", os.strerror(ctypes.get_errno()))


def _serve(line: Line, options: Options) -> None:
    if options.cuda_device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = options.cuda_device  # read when torch is imported, which is next
    folders = Folders.from_options(options)
    found = load.find(folders.roots("custom_nodes"), options)
    failures = load.start_scripts(found)  # before torch is imported: some of them set how it behaves
    import psutil
    import torch

    from engine.compat import runtime
    from engine.graph.cache import ResultCache
    from engine.graph.execute import Executor, Settings
    from engine.models.memory import memory_for
    from engine.nodes.registry import Registry, builtin
    from engine.worker import devices
    from engine.worker.loop import Loop

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(devices.thread_count())
    if options.deterministic:
        torch.use_deterministic_algorithms(True, warn_only=True)
    own = builtin()
    memory = memory_for(options)
    services = {"memory": memory}
    runtime.begin(runtime.Runtime(options, folders, services))
    loaded = load.load(found, own)
    failures |= loaded.failures
    registry = Registry({**own, **loaded.definitions})

    def release() -> None:
        memory.free()

    cache = ResultCache(
        options.cache, options.cache_lru, options.cache_ram * 2**30, lambda: float(psutil.virtual_memory().available)
    )
    settings = Settings(not options.disable_metadata, options.preview_method, options.preview_size)
    executor = Executor(registry, folders, cache, settings, services, release)
    loop = Loop(
        line,
        registry,
        folders,
        executor,
        describe_devices=lambda: devices.describe(memory.device),
        unload_models=release,
        when_idle=[partial(_import_ahead, name) for name in _LATER],
    )
    line.send(Ready(os.getpid(), str(str(torch.__version__)), len(registry), failures, loaded.web))
    loop.run()


def _import_ahead(name: str) -> None:
    try:
        import_module(name)
    except ImportError as error:  # the node that needs it will fail with the same reason, to whom it concerns
        log.warning("%s cannot be imported: %s", name, error)


def _leave() -> None:
    """End at once, without the interpreter's own taking apart.

    That ends daemon threads (the listener, those of libraries) wherever they next ask for the interpreter; inside C++
    code the runtime takes this for a fault and aborts the process ("terminate called without an active exception").
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
    _leave()
