"""The settings: one model that is validator, defaults, and the table that the settings screen and the docs show."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, field

Images = Literal[  # off: what none was called first
    "auto", "half", "kitty", "sixel", "none", "truecolor", "256", "shades", "off"
]
Choice = Literal["ask", "yes", "no"]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the parts: a misspelt key is an error, and never silently ignored."""


class Ssh(Part, frozen=True):
    """The tunnel to a server: `[servers.NAME.ssh]`, or ssh = "me@box" for its host alone."""

    host: Annotated[str, Meta(description="as after ssh: me@box, or a name of ~/.ssh/config", min_length=1)]
    user: Annotated[str, Meta(description="who logs in there, if not in host")] = ""
    port: Annotated[int, Meta(description="of the SSH server; 0 is what ~/.ssh/config says", ge=0, le=65535)] = 0
    jump: Annotated[str, Meta(description="the host to go through, as after ssh -J")] = ""
    identity: Annotated[str, Meta(description="file of the private key, as after ssh -i")] = ""
    options: Annotated[tuple[str, ...], Meta(description='more of them, as after ssh -o: ["Compression=yes"]')] = ()

    def __post_init__(self) -> None:
        for name in ("host", "user", "jump"):
            # ssh would take what begins with - as an option, and some of those run commands.
            if not re.fullmatch(r"([^-\s\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*)?", getattr(self, name)):
                raise ValueError(f"{name} must not begin with - or hold spaces")
        for option in self.options:
            if not re.fullmatch(r"[A-Za-z]+\s*[= ]\s*[^\x00-\x1f\x7f]+", option):
                raise ValueError("options are written as Name=value")

    @property
    def destination(self) -> str:
        """Who and where, as ssh takes it."""
        return f"{self.user}@{self.host}" if self.user else self.host


class Profile(Part, frozen=True):
    """A server by name: `[servers.NAME]`. A secret is written as $VARIABLE, !command or keyring:service/user."""

    url: Annotated[
        str, Meta(description="host:port, or http(s)://host:port/prefix; with ssh, as seen from there", min_length=1)
    ]
    token: Annotated[str, Meta(description="a secret, sent as Authorization: Bearer …")] = ""
    token_file: Annotated[str, Meta(description="a file with the token, as the engine's --token-file takes it")] = ""
    user: Annotated[str, Meta(description="for basic authorization, with password")] = ""
    password: Annotated[str, Meta(description="a secret, for basic authorization")] = ""
    headers: Annotated[dict[str, str], Meta(description="sent with every request; values may be secrets")] = {}
    query: Annotated[dict[str, str], Meta(description="added to every address, as in token = a secret")] = {}
    verify: Annotated[bool, Meta(description="check the certificate of https servers")] = True
    ca: Annotated[str, Meta(description="path of a CA bundle to trust instead of the system's")] = ""
    cert: Annotated[str, Meta(description="path of our certificate, for servers that want one")] = ""
    key: Annotated[str, Meta(description="path of its key, if it is not in the same file")] = ""
    key_password: Annotated[str, Meta(description="a secret, for a key that is encrypted")] = ""
    timeout: Annotated[float, Meta(description="seconds to wait for an answer", ge=1, le=600)] = 15.0
    ssh: Annotated[str | Ssh, Meta(description="open a tunnel: me@box, or a table with host, port, jump …")] = ""
    connect: Annotated[bool, Meta(description="connect when the dashboard starts, beside the others")] = True
    read_only: Annotated[bool, Meta(description="let nothing change this server")] = False

    def __post_init__(self) -> None:
        if self.token and self.token_file:
            raise ValueError("token and token_file exclude each other")
        if self.user and (self.token or self.token_file):
            raise ValueError("user and token exclude each other: both are sent as Authorization")
        if self.password and not self.user:
            raise ValueError("password needs user")
        if (self.key or self.key_password) and not self.cert:
            raise ValueError("key needs cert")
        if self.ca and not self.verify:
            raise ValueError("ca is of no use with verify = false")
        try:
            self.tunnel  # noqa: B018 -- checks what is written as text
        except ValueError as error:
            raise ValueError(f"ssh: {error}") from None

    @property
    def tunnel(self) -> Ssh | None:
        """The tunnel, however it is written. Raises ValueError."""
        return Ssh(host=self.ssh) if isinstance(self.ssh, str) and self.ssh else self.ssh or None

    @property
    def address(self) -> str:
        """The url without user, password and query; … where it is unclear what is which."""
        clear = re.fullmatch(r"([a-z][a-z0-9+.-]*://)?([^/?#@]*@)?([^?#@]*)([?#][^@]*)?", self.url, re.I | re.S)
        return f"{clear[1] or ''}{clear[3]}" if clear else "…"

    def __repr__(self) -> str:  # with its secrets resolved it may reach a traceback
        return f"Profile({self.address!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:  # rich asks this first, and msgspec's tells every field
        return [("url", self.address)]


class Confirm(Part, frozen=True):
    """What is asked before it is done: `[confirm]`."""

    interrupt: Annotated[bool, Meta(description="before the running job is interrupted")] = False
    cancel: Annotated[bool, Meta(description="before waiting jobs are taken out of the queue")] = False
    clear_queue: Annotated[bool, Meta(description="before the whole queue is cleared")] = True
    delete_history: Annotated[bool, Meta(description="before entries of the history are deleted")] = True


class Notify(Part, frozen=True):
    """What happens when a job ends, so that nobody has to watch: `[notify]`."""

    jobs: Annotated[
        Literal["ours", "all", "none"], Meta(description="whose jobs: ours, everybody's on the connected servers, none")
    ] = "ours"
    failures_only: Annotated[bool, Meta(description="only when a job fails")] = False
    seconds: Annotated[
        int, Meta(description="only for jobs that ran this long; failures always", ge=0, le=1_000_000)
    ] = 10
    focused: Annotated[bool, Meta(description="also while you look at the terminal, where it tells that")] = False
    bell: Annotated[bool, Meta(description="ring the terminal's bell")] = True
    terminal: Annotated[
        Literal["auto", "osc9", "osc777", "both", "off"],
        Meta(description="a message of the terminal; auto sends what the terminal is known to show, else both"),
    ] = "auto"
    command: Annotated[
        tuple[str, ...],
        Meta(
            description='a program to run, as in ["notify-send", "{name}: {state}"]; '
            "also {server} {id} {seconds} {error}, and COMFYTUI_JOB_… in its environment"
        ),
    ] = ()


class Engine(Part, frozen=True):
    """The local engine: `[engine]`."""

    port: Annotated[int, Meta(description="where it listens", ge=1, le=65535)] = 8188
    arguments: Annotated[
        tuple[str, ...], Meta(description='more flags for it, as in ["--lowvram", "--output-directory", "/data"]')
    ] = ()

    def __repr__(self) -> str:  # a token may be among the arguments
        return f"Engine(port={self.port})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("port", self.port)]


class Settings(Part, frozen=True):
    """All settings. A file gives those that differ; the rest have the defaults here."""

    server: Annotated[str, Meta(description="the server to use: an address, or a name of [servers]", min_length=1)] = (
        "http://127.0.0.1:8188"
    )
    theme: Annotated[
        str, Meta(description="a file of themes/ without .toml, or the path of your own", min_length=1)
    ] = "dark"
    images: Annotated[Images, Meta(description="how pictures are drawn; auto looks at the terminal")] = "auto"
    previews: Annotated[bool, Meta(description="ask for pictures while a job is sampling")] = True
    mouse: Annotated[bool, Meta(description="take the mouse; no leaves selecting text to the terminal")] = True
    workflow_folders: Annotated[tuple[str, ...], Meta(description="folders with your workflow files")] = ()
    wildcard_folders: Annotated[
        tuple[str, ...], Meta(description="folders of text files: __name__ in a prompt is a line of name.txt")
    ] = ()
    output_dir: Annotated[str, Meta(description="where pictures are saved; . is where you started", min_length=1)] = "."
    leave_engine_running: Annotated[
        Choice, Meta(description="on leaving, let the local engine go on; ask asks once and remembers")
    ] = "ask"
    confirm: Annotated[Confirm, Meta(description="what is asked before it is done")] = field(default_factory=Confirm)
    notify: Annotated[Notify, Meta(description="what happens when a job ends")] = field(default_factory=Notify)
    engine: Annotated[Engine, Meta(description="the local engine")] = field(default_factory=Engine)
    servers: Annotated[dict[str, Profile], Meta(description="servers by name")] = {}
    remember: Annotated[bool, Meta(description="start where you left: server, screen, filters, panes, orders")] = True
    keys: Annotated[dict[str, str], Meta(description='your own keys: action = "key", as in run_again = "ctrl+r"')] = {}

    def __repr__(self) -> str:  # an address may hold a password, and the engine's arguments a token
        return f"Settings(servers={list(self.servers)})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("servers", list(self.servers))]


class SettingsError(ValueError):
    """A setting is wrong. `file` and `key` say which (either may be empty), `problem` why, `fix` what to do."""

    def __init__(self, problem: str, *, file: str = "", key: str = "", fix: str = "") -> None:
        self.problem = problem
        self.file = file
        self.key = key
        self.fix = fix
        where = ", ".join(part for part in (file, key) if part)
        text = f"{where}: {problem}" if where else problem
        super().__init__(f"{text}. {fix}" if fix else text)


class Option(msgspec.Struct, frozen=True):
    """One setting as a screen or a page shows it."""

    key: str  # dotted, as in confirm.interrupt
    kind: str  # text | number | yes/no | choice | list | table
    default: Any
    description: str
    choices: tuple[str, ...] = ()


def validate(raw: Mapping[str, Any], *, file: str = "") -> Settings:
    """Settings from plain data. Raises SettingsError with the file and the dotted key."""
    try:
        return msgspec.convert(dict(raw), Settings)
    except msgspec.ValidationError as error:
        raise _explained(str(error), raw, file) from error


def get(settings: Settings, key: str) -> Any:
    """The value of a dotted key. Raises SettingsError if there is no such key."""
    value: Any = settings
    for part in key.split("."):
        if isinstance(value, Mapping):
            if part not in value:
                raise SettingsError("is not set", key=key)
            value = value[part]
        elif isinstance(value, msgspec.Struct) and part in value.__struct_fields__:
            value = getattr(value, part)
        else:
            names = value.__struct_fields__ if isinstance(value, msgspec.Struct) else ()
            raise SettingsError("there is no such setting", key=key, fix=_suggest(part, names))
    return value


def options(model: type[Part] = Settings, prefix: str = "") -> list[Option]:
    """Every setting, in the order of the model; tables of free names (servers, keys) as one."""
    hints = get_type_hints(model, include_extras=True)
    found: list[Option] = []
    for info in msgspec.structs.fields(model):
        hint = hints[info.name]
        base, *extras = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        description = next((meta.description for meta in extras if isinstance(meta, Meta) and meta.description), "")
        if isinstance(base, type) and issubclass(base, Part):
            found.extend(options(base, f"{prefix}{info.name}."))
            continue
        kind, choices = _kind(base)
        default: Any = info.default
        if default is msgspec.NODEFAULT:
            default = info.default_factory() if callable(info.default_factory) else None
        found.append(Option(f"{prefix}{info.name}", kind, default, description, choices))
    return found


def _kind(base: Any) -> tuple[str, tuple[str, ...]]:
    origin = get_origin(base)
    if origin is Literal:
        return "choice", get_args(base)
    if origin in (Union, UnionType):
        return _kind(next(each for each in get_args(base) if each is not NoneType))
    if origin is tuple:
        return "list", ()
    if origin is dict:
        return "table", ()
    return {bool: "yes/no", int: "number", float: "number"}.get(base, "text"), ()


def _explained(message: str, raw: Mapping[str, Any], file: str) -> SettingsError:
    """msgspec's message as ours: the key in words, and what it could have been."""
    problem, _, path = message.partition(" - at ")
    parts = [part for part in re.split(r"\.(?![.\]])", re.sub(r"^(key in )?`?\$", "", path).rstrip("`")) if part]
    if parts and parts[0].endswith("[...]"):
        table = parts[0].removesuffix("[...]")
        parts[:1] = [table, _guilty(table, raw[table])]
    if unknown := re.search(r"unknown field `(.*)`", problem):
        tables: dict[str, type[Part]] = {"confirm": Confirm, "engine": Engine, "notify": Notify, "servers": Profile}
        model = Ssh if parts[2:3] == ["ssh"] else tables.get(parts[0] if parts else "", Settings)
        fix = _suggest(unknown[1], model.__struct_fields__)
        return SettingsError("there is no such setting", file=file, key=".".join([*parts, unknown[1]]), fix=fix)
    if missing := re.search(r"missing required field `(.*)`", problem):
        return SettingsError("is missing", file=file, key=".".join([*parts, missing[1]]))
    if parts and parts[-1].endswith("[...]"):  # a table of texts in a server: msgspec does not tell which of them
        parts = [*parts[:-1], parts[-1].removesuffix("[...]")]
        parts += [name for name, value in _at(raw, parts).items() if not isinstance(value, str)][:1]
    key = ".".join(parts)
    if invalid := re.search(r"Invalid enum value '?(.*?)'?$", problem):
        allowed = next((each.choices for each in options() if each.key == key), ())
        return SettingsError(f"cannot be {invalid[1]!r}", file=file, key=key, fix=f"Use one of {', '.join(allowed)}")
    for theirs, ours in (("`", ""), ("Expected", "expected"), (r"\bstr\b", "text"), (r"\bbool\b", "true or false")):
        problem = re.sub(theirs, ours, problem)
    return SettingsError(problem, file=file, key=key)


def _guilty(table: str, entries: Mapping[str, Any]) -> str:
    """The name of the first bad entry: msgspec does not tell the keys of free tables."""
    kind = Profile if table == "servers" else str
    for name, entry in entries.items():
        try:
            msgspec.convert(entry, kind)
        except msgspec.ValidationError:
            return name
    return "…"


def _at(raw: Mapping[str, Any], parts: list[str]) -> Mapping[str, Any]:
    value: Any = raw
    for part in parts:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _suggest(name: str, names: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, names, n=2)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"There is: {', '.join(names)}" if names else ""
