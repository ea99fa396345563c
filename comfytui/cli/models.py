"""`comfytui models`: the model files of a server, folder by folder."""

from __future__ import annotations

import asyncio

import click

from comfytui.cli import diagnostics, output, session
from comfytui.cli.diagnostics import Exit, Failed
from comfytui.cli.options import json_option, server_option
from comfytui.cli.shapes import Model
from comfytui.client.errors import Missing
from comfytui.client.model_files import ModelFile, ModelFolder
from comfytui.state.models import Models
from comfytui.workflow.inputs import near

AT_ONCE = 4  # folders that are asked for at a time: a slow disk behind the server is not helped by more


@click.command()
@click.argument("folder", required=False)
@click.option("--folders", is_flag=True, help="Only the folders, with how many files each has.")
@server_option
@json_option
def command(folder: str | None, folders: bool, server: str | None, as_json: bool) -> None:
    """List the model files in FOLDER (checkpoints, loras, …), or in all folders, with their sizes."""
    if folders and (as_json or folder):
        raise click.UsageError("--folders stands alone.")
    session.run(_models(folder, folders, server, as_json))


async def _models(wanted: str | None, only_folders: bool, server: str | None, as_json: bool) -> None:
    async with session.connected(server) as connection:
        models = connection.model_files
        folders = await models.load_folders()
        if wanted is not None:
            folders = tuple(each for each in folders if each.name == wanted) or _unknown(wanted, folders)
        gate = asyncio.Semaphore(AT_ONCE)
        listed = await asyncio.gather(*(_files(models, each, gate) for each in folders))
    if only_folders:
        rows = [
            (each.name, str(len(files)), _size(sum(f.size or 0 for f in files)))
            for each, files in zip(folders, listed, strict=True)
        ]
        output.table(("FOLDER", "FILES", "SIZE"), rows)
        return
    found = [
        Model(folder=folder.name, name=each.name, size=each.size, modified=each.modified)
        for folder, files in zip(folders, listed, strict=True)
        for each in files
    ]
    if as_json:
        output.json(found)
        return
    output.table(("FOLDER", "SIZE", "NAME"), [(each.folder, _size(each.size), each.name) for each in found])


async def _files(models: Models, folder: ModelFolder, gate: asyncio.Semaphore) -> tuple[ModelFile, ...]:
    async with gate:
        try:
            return await models.load(folder)
        except Missing as error:  # between the two questions somebody took it away
            diagnostics.say(str(error))
            return ()


def _unknown(wanted: str, folders: tuple[ModelFolder, ...]) -> tuple[ModelFolder, ...]:
    names = [each.name for each in folders]
    close = near(wanted, names)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"There is: {', '.join(names)}"
    raise Failed(Exit.USAGE, f"the server has no model folder {wanted!r}. {hint}")


def _size(size: int | None) -> str:
    if not size:
        return "" if size is None else "0"
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 / 10 else f"{size / 2**20:.1f} MiB"
