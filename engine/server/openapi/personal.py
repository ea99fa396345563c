"""Users, their settings and their own files."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from engine.server.openapi.describe import (
    ABSENT,
    BAD,
    BYTES,
    EMPTY,
    JSON,
    Answer,
    AnyObject,
    Binary,
    Body,
    Count,
    ErrorBody,
    Input,
    Operation,
    Operations,
    Seconds,
    in_path,
    ok,
)

TITLE = "users"


class Users(Struct):
    """Who there is."""

    storage: Literal["server"]
    migrated: Annotated[bool, Meta(description="With one user: whether there are files of it.")] | UnsetType = UNSET
    users: Annotated[dict[str, str], Meta(description="With several: name by id.")] | UnsetType = UNSET


class NewUser(Struct):
    """A user to be."""

    username: Annotated[str, Meta(min_length=1, max_length=128)]


class NoUser(Struct):
    """Why there is no new user: a sentence, or what is wrong with the body."""

    error: str | ErrorBody
    node_errors: AnyObject | UnsetType = UNSET


class FileInfo(Struct):
    """A file of a user."""

    path: str
    size: Count
    modified: Seconds
    created: Seconds


class TreeEntry(Struct):
    """A file or a folder."""

    name: str
    path: Annotated[str, Meta(description="From the user's folder.")]
    type: Literal["file", "directory"]
    size: Count | UnsetType = UNSET
    modified: Seconds | UnsetType = UNSET


Settings = Annotated[AnyObject, Meta(description="Values by id; the ids are the web front end's.")]
Listing = list[str | list[str] | FileInfo]
Told = str | FileInfo
Flag = Literal["true", "false"]

_USER = Input("comfy-user", "The user's id; only looked at with `--multi-user`.", place="header")
_FILE = in_path("file", "One part of the path: slashes are sent as `%2F`.", Annotated[str, Meta(min_length=1)])
_OVERWRITE = Input("overwrite", "`false` refuses to replace a file.", Flag)
_FULL = Input("full_info", "`true` tells size and times.", Flag)
_REFUSED = Answer("The name leads out of the user's folder; or see the 403 of every route.")
_TAKEN = Answer("There is such a file already.", str, ("text/plain",))
_NO_NAME = Answer("The name is empty, or a folder.", str, ("text/plain", BYTES))

OPERATIONS: Operations = {
    ("GET", "/users"): Operation("listUsers", "Who there is", ok("One or several.", Users)),
    ("POST", "/users"): Operation(
        "addUser",
        "Make a user",
        {**ok("The id.", str), 400: Answer("The name cannot be taken.", NoUser)},
        body=Body("The name.", NewUser),
    ),
    ("GET", "/settings"): Operation("getSettings", "All settings", ok("The settings.", Settings), inputs=(_USER,)),
    ("POST", "/settings"): Operation(
        "mergeSettings",
        "Change some settings",
        {200: EMPTY, 400: BAD},
        inputs=(_USER,),
        body=Body("Those to change; the others stay.", Settings),
    ),
    ("GET", "/settings/{setting}"): Operation(
        "getSetting",
        "One setting",
        ok("The bare value, null if it is not set.", Any),
        inputs=(_USER, in_path("setting", "Its id.")),
    ),
    ("POST", "/settings/{setting}"): Operation(
        "changeSetting",
        "Change one setting",
        {200: EMPTY, 400: BAD},
        inputs=(_USER, in_path("setting", "Its id.")),
        body=Body("The bare value.", Any),
    ),
    ("GET", "/userdata"): Operation(
        "listUserFiles",
        "Files of a folder",
        {
            **ok("Names relative to it, or more.", Listing),
            400: Answer("No folder is named.", str, ("text/plain",)),
            403: Answer("The folder leads out; or see the 403 of every route.", str, ("text/plain", JSON)),
            404: Answer("There is no such folder.", str, ("text/plain",)),
        },
        inputs=(
            _USER,
            Input("dir", "The folder.", required=True),
            Input("recurse", "`true` descends.", Flag),
            _FULL,
            Input("split", "`true` gives lists: the path and its parts.", Flag),
        ),
    ),
    ("GET", "/v2/userdata"): Operation(
        "listUserTree",
        "Files and folders, all the way down",
        {
            **ok("Folders first, then by name.", list[TreeEntry]),
            400: Answer("It is a file.", str, ("text/plain",)),
            403: Answer("It leads out; or see the 403 of every route.", str, ("text/plain", JSON)),
            404: Answer("There is no such folder.", str, ("text/plain",)),
        },
        inputs=(_USER, Input("path", "Where to begin; the user's folder without it.")),
    ),
    ("GET", "/userdata/{file}"): Operation(
        "readUserFile",
        "A file",
        {
            200: Answer("Its bytes, in the type of its name.", Binary, (JSON, "text/plain", "image/*", BYTES, "*/*")),
            206: Answer("The bytes that `Range` asks for.", Binary, (JSON, "text/plain", "image/*", BYTES, "*/*")),
            400: _NO_NAME,
            403: _REFUSED,
            404: ABSENT,
            416: Answer("The file has no such bytes."),
        },
        inputs=(_USER, _FILE),
    ),
    ("POST", "/userdata/{file}"): Operation(
        "writeUserFile",
        "Write a file",
        {**ok("Its path, or more.", Told), 400: _NO_NAME, 403: _REFUSED, 409: _TAKEN},
        inputs=(_USER, _FILE, _OVERWRITE, _FULL),
        body=Body("The bytes.", Binary, (BYTES,), required=False),
    ),
    ("DELETE", "/userdata/{file}"): Operation(
        "deleteUserFile",
        "Delete a file",
        {204: Answer("It is gone."), 400: _NO_NAME, 403: _REFUSED, 404: ABSENT},
        inputs=(_USER, _FILE),
    ),
    ("POST", "/userdata/{file}/move/{dest}"): Operation(
        "moveUserFile",
        "Move a file",
        {**ok("Its new path, or more.", Told), 400: _NO_NAME, 403: _REFUSED, 404: ABSENT, 409: _TAKEN},
        inputs=(
            _USER,
            _FILE,
            in_path("dest", "The new name, as `file`.", Annotated[str, Meta(min_length=1)]),
            _OVERWRITE,
            _FULL,
        ),
    ),
}
