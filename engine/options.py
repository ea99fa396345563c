"""The engine's command line: ComfyUI's own flag names, parsed once into one frozen value.

Both processes hold the same `Options`: the front parses them and hands them to the worker as JSON.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

PREVIEW_METHODS = ("none", "auto", "latent2rgb", "taesd")
HASHES = ("md5", "sha1", "sha256", "sha512")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
MEMORY_MODES = ("gpu-only", "highvram", "normalvram", "lowvram", "novram", "cpu")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line decided. Paths are as given; `Folders.from_options` makes them absolute."""

    # address and limits
    listen: str = "127.0.0.1"  # comma list of addresses
    port: int = 8188
    tls_keyfile: str | None = None
    tls_certfile: str | None = None
    token: str | None = None  # what every request must bring; None: nobody is asked. Never leaves this process
    token_file: str | None = None
    allowed_host: tuple[str, ...] = ()  # names that this server goes by, besides its addresses
    enable_cors_header: str | None = None  # the allowed origin; None: cross-site browsers are refused
    max_upload_size: float = 100.0  # MB, of any request body
    enable_compress_response_body: bool = False
    multi_user: bool = False
    max_queue: int = 10_000  # jobs that may wait
    front_end_root: str | None = None  # holds the index.html of a web front end; None: the installed package's
    front_end_version: str | None = None  # accepted for scripts, without effect

    # folders
    base_directory: str | None = None
    output_directory: str | None = None
    input_directory: str | None = None
    temp_directory: str | None = None  # the parent: pictures go to its `temp` folder
    user_directory: str | None = None
    extra_model_paths_config: tuple[str, ...] = ()

    # devices and numbers
    memory_mode: str = "auto"  # auto, or one of MEMORY_MODES
    cuda_device: str | None = None
    reserve_vram: float | None = None  # GB left to other programs
    force_fp32: bool = False
    force_fp16: bool = False
    unet_dtype: str | None = None  # fp64 | fp32 | fp16 | bf16 | fp8_e4m3fn | fp8_e5m2
    vae_dtype: str | None = None  # fp32 | fp16 | bf16
    text_encoder_dtype: str | None = None  # fp32 | fp16 | bf16 | fp8_e4m3fn | fp8_e5m2
    cpu_vae: bool = False
    deterministic: bool = False

    # execution
    preview_method: str = "none"
    preview_size: int = 512  # pixels of the longest side
    cache: str = "classic"  # classic | lru | ram | none
    cache_lru: int = 0  # results kept, with cache = lru
    cache_ram: float = 4.0  # GB of memory to keep free, with cache = ram
    disable_metadata: bool = False
    disable_all_custom_nodes: bool = False
    whitelist_custom_nodes: tuple[str, ...] = ()
    default_hashing_function: str = "sha256"
    allow_pickle: bool = False  # read .ckpt, .pt, .pth and .bin files too, weights only

    # what is kept
    on_restart: str = "rerun"  # rerun | interrupted: what becomes of the job that ran when the engine died
    history_limit: int = 0  # entries of the history that stay; 0: all
    volatile: bool = False  # queue and history end with the process

    # the program itself
    verbose: str = "INFO"
    log_stdout: bool = False
    dont_print_server: bool = False
    quick_test_for_ci: bool = False

    def __repr__(self) -> str:  # a token must not reach a log or a traceback
        return msgspec.Struct.__repr__(self if self.token is None else msgspec.structs.replace(self, token="…"))  # noqa: S106

    @property
    def cpu(self) -> bool:
        """Everything on the processor, whatever devices there are."""
        return self.memory_mode == "cpu"

    @property
    def max_upload_bytes(self) -> int:
        return int(self.max_upload_size * 1024 * 1024)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where to listen."""
        return tuple(part.strip() for part in self.listen.split(",") if part.strip())


def to_json(options: Options) -> str:
    """One line that `from_json` reads; it is how options reach the worker: on its command line, so without the token."""
    return msgspec.json.encode(msgspec.structs.replace(options, token=None)).decode()


def from_json(text: str | bytes) -> Options:
    """Raises `msgspec.ValidationError` naming the field when `text` is not `Options`."""
    return msgspec.json.decode(text, type=Options)


def without_effect(options: Options) -> list[str]:
    """Flags that are accepted, because scripts for ComfyUI pass them, and that change nothing: a sentence about each."""
    said = []
    if options.memory_mode in ("lowvram", "novram"):
        said.append(f"--{options.memory_mode} has no effect yet: models are loaded whole")
    if options.reserve_vram is not None and options.cpu:
        said.append("--reserve-vram has no effect with --cpu")
    for part, kind in (("unet", options.unet_dtype), ("text-enc", options.text_encoder_dtype)):
        if kind in ("fp8_e4m3fn", "fp8_e5m2"):
            said.append(f"--{kind}-{part} has no effect yet: weights are kept in 16 bits or more")
    if options.preview_method == "taesd":
        said.append("--preview-method taesd has no decoders yet: previews are those of latent2rgb")
    if options.front_end_version is not None:
        said.append(
            "--front-end-version has no effect: nothing is fetched; install the comfyui-frontend-package you want"
        )
    if options.whitelist_custom_nodes and not options.disable_all_custom_nodes:
        said.append("--whitelist-custom-nodes has no effect without --disable-all-custom-nodes: all packs are loaded")
    return said


def parser() -> argparse.ArgumentParser:
    """The command line, grouped as `--help` prints it."""
    top = argparse.ArgumentParser(
        prog="python -m engine",
        description="A local engine that speaks ComfyUI's HTTP and WebSocket API.",
        # An abbreviation that works today may become ambiguous tomorrow: scripts should not rely on any.
        allow_abbrev=False,
    )
    _server_flags(top.add_argument_group("address and limits"))
    _folder_flags(top.add_argument_group("folders"))
    _device_flags(top)
    _execution_flags(top)
    _keeping_flags(top.add_argument_group("queue and history"))
    _program_flags(top.add_argument_group("the program"))
    return top


def parse(argv: Sequence[str] | None = None) -> Options:
    """Read a command line; a wrong one prints its usage and exits with code 2."""
    given = vars(parser().parse_args(argv))
    for name, value in given.items():
        if isinstance(value, list):
            given[name] = tuple(value)
    if given["cache_lru"]:
        given["cache"] = "lru"
    return Options(**given)


def default_base() -> Path:
    """`$XDG_DATA_HOME/comfytui`, which is `~/.local/share/comfytui` on most systems."""
    home = os.environ.get("XDG_DATA_HOME", "")
    # The specification says that a relative value is to be ignored.
    root = Path(home) if home.startswith("/") else Path.home() / ".local" / "share"
    return root / "comfytui"


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{value} is not a port: use 1 to 65535, or 0 for any free one")
    return value


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} must be a number above 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} must be 1 or more")
    return value


def _front_end(text: str) -> str:
    if not Path(text, "index.html").is_file():
        raise argparse.ArgumentTypeError(f"{text} has no index.html: give the folder of a built web front end")
    return text


def _server_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--listen",
        metavar="IP",
        nargs="?",
        const="0.0.0.0,::",
        default="127.0.0.1",
        help="addresses, comma separated (default 127.0.0.1; without a value: every one)",
    )
    group.add_argument("--port", type=_port, default=8188, help="default 8188; 0 takes any free one")
    group.add_argument("--tls-keyfile", metavar="FILE")
    group.add_argument("--tls-certfile", metavar="FILE", help="serve https; needs --tls-keyfile too")
    tokens = group.add_mutually_exclusive_group()
    tokens.add_argument(
        "--token", help="refuse who does not bring it; other users of the machine can read it in the process list"
    )
    tokens.add_argument("--token-file", metavar="FILE", help="the same, from a file; or set COMFYTUI_ENGINE_TOKEN")
    group.add_argument(
        "--allowed-host",
        metavar="NAME",
        action="append",
        default=[],
        help="a name that browsers and proxies call this server by; repeatable, * for any",
    )
    group.add_argument(
        "--enable-cors-header", metavar="ORIGIN", nargs="?", const="*", help="let pages of ORIGIN (default *) call"
    )
    group.add_argument("--max-upload-size", type=_positive, default=100.0, metavar="MB", help="default 100")
    group.add_argument("--enable-compress-response-body", action="store_true", help="gzip JSON and text answers")
    group.add_argument("--multi-user", action="store_true", help="settings and userdata for each user")
    group.add_argument(
        "--max-queue", type=_count, default=10_000, metavar="N", help="jobs that may wait (default 10000)"
    )
    group.add_argument(
        "--front-end-root",
        type=_front_end,
        metavar="DIR",
        help="serve the web front end in DIR, which has its index.html",
    )
    group.add_argument(
        "--front-end-version", metavar="NAME@VERSION", help="accepted, without effect: nothing is fetched"
    )


def _folder_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--base-directory",
        metavar="DIR",
        help="holds models, input, output, temp and user (default $XDG_DATA_HOME/comfytui or ~/.local/share/comfytui)",
    )
    group.add_argument("--output-directory", metavar="DIR")
    group.add_argument("--input-directory", metavar="DIR")
    group.add_argument("--temp-directory", metavar="DIR", help="temporary files go to DIR/temp, emptied at the start")
    group.add_argument("--user-directory", metavar="DIR")
    group.add_argument(
        "--extra-model-paths-config", metavar="FILE", action="extend", nargs="+", default=[], help="more model folders"
    )


def _device_flags(top: argparse.ArgumentParser) -> None:
    group = top.add_argument_group("devices and numbers")
    modes = group.add_mutually_exclusive_group()
    for mode in MEMORY_MODES:
        modes.add_argument(f"--{mode}", dest="memory_mode", action="store_const", const=mode)
    top.set_defaults(memory_mode="auto")
    group.add_argument("--cuda-device", metavar="N")
    group.add_argument("--reserve-vram", type=_positive, metavar="GB", help="memory of the GPU left to other programs")
    force = group.add_mutually_exclusive_group()
    force.add_argument("--force-fp32", action="store_true")
    force.add_argument("--force-fp16", action="store_true")
    for part, dest, kinds in (
        ("unet", "unet_dtype", ("fp64", "fp32", "fp16", "bf16", "fp8_e4m3fn", "fp8_e5m2")),
        ("vae", "vae_dtype", ("fp32", "fp16", "bf16")),
        ("text-enc", "text_encoder_dtype", ("fp32", "fp16", "bf16", "fp8_e4m3fn", "fp8_e5m2")),
    ):
        choice = group.add_mutually_exclusive_group()
        for kind in kinds:
            # ComfyUI writes `--fp16-unet` but `--fp8_e4m3fn-unet`.
            choice.add_argument(f"--{kind}-{part}", dest=dest, action="store_const", const=kind)
    group.add_argument("--cpu-vae", action="store_true")
    group.add_argument("--deterministic", action="store_true")


def _execution_flags(top: argparse.ArgumentParser) -> None:
    group = top.add_argument_group("execution")
    group.add_argument("--preview-method", choices=PREVIEW_METHODS, default="none", help="default none")
    group.add_argument("--preview-size", type=_count, default=512, metavar="PIXELS", help="longest side (default 512)")
    cache = group.add_mutually_exclusive_group()
    cache.add_argument("--cache-classic", dest="cache", action="store_const", const="classic", help="the default")
    cache.add_argument("--cache-lru", type=_count, default=0, metavar="N", help="keep the newest N results")
    cache.add_argument("--cache-none", dest="cache", action="store_const", const="none", help="keep nothing")
    cache.add_argument("--cache-ram", type=_positive, nargs="?", const=4.0, metavar="GB", action=_CacheRam, default=4.0)
    top.set_defaults(cache="classic")
    group.add_argument("--disable-metadata", action="store_true", help="saved files carry no prompt")
    group.add_argument("--disable-all-custom-nodes", action="store_true")
    group.add_argument("--whitelist-custom-nodes", metavar="NAME", action="extend", nargs="+", default=[])
    group.add_argument("--default-hashing-function", choices=HASHES, default="sha256")
    group.add_argument(
        "--allow-pickle", action="store_true", help="read .ckpt, .pt, .pth and .bin models, their weights only"
    )


def _keeping_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--on-restart",
        choices=("rerun", "interrupted"),
        default="rerun",
        help="what becomes of a job that ran when the engine died (default rerun)",
    )
    group.add_argument(
        "--history-limit", type=_count, default=0, metavar="N", help="keep the newest N finished jobs (default: all)"
    )
    group.add_argument("--volatile", action="store_true", help="keep both in memory only: nothing survives the end")


def _program_flags(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--verbose", nargs="?", const="DEBUG", default="INFO", choices=LEVELS, metavar="LEVEL")
    group.add_argument("--log-stdout", action="store_true", help="log to stdout and not stderr")
    group.add_argument("--dont-print-server", action="store_true", help="no line about the address")
    group.add_argument("--quick-test-for-ci", action="store_true", help="start, load the nodes and exit")


class _CacheRam(argparse.Action):
    """`--cache-ram [GB]` sets the kind of cache too."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        _option: str | None = None,
    ) -> None:
        namespace.cache = "ram"
        namespace.cache_ram = values
