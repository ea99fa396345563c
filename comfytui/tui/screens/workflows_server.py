"""What Workflows does with the server's own files: save, copy there, rename, delete; each asked, and told by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from comfytui.client import sanitize
from comfytui.client.errors import ClientError, Exists
from comfytui.client.userdata import checked
from comfytui.tui.library import SERVER, Entry
from comfytui.workflow.errors import WorkflowError

if TYPE_CHECKING:
    from comfytui.client.userdata import UserData
    from comfytui.tui.screens.workflows_edit import EditsWorkflows


class ServerFiles:
    """Its methods talk with the user: call them from a worker. What goes wrong is reported, not raised."""

    def __init__(self, view: EditsWorkflows) -> None:
        self._view = view

    @property
    def _name(self) -> str:
        state = self._view.session.state
        return state.link.url if state is not None else "the server"

    async def save(self, name: str, graph: Mapping[str, Any]) -> bool:
        """Write a graph under a name, as JSON in API format; before another file is replaced, the user is asked."""
        userdata = self._there()
        if userdata is None:
            return False
        dashboard = self._view.dashboard
        try:
            path = checked(name if name.lower().endswith(".json") else f"{name}.json")
            try:
                await userdata.write(path, graph)
            except Exists:
                asked = f"Replace {sanitize.line(path)} among the workflows of {self._name}?"
                if not await dashboard.confirm(asked, "replace it", "keep it"):
                    return False
                await userdata.write(path, graph, overwrite=True)
        except ClientError as error:
            dashboard.report(f"save: {error}")
            return False
        dashboard.say(f"saved as {sanitize.line(path)} on {self._name}")
        await self._view.shelf.find_on_server(userdata)
        return True

    async def copy(self, entry: Entry) -> None:
        """Copy a file of this disk to the server, or one of the server under another name."""
        from comfytui.tui.widgets.text_input_dialog import TextInputDialog

        view = self._view
        if self._there() is None:
            return
        hint = "its web page lists it; in API format, as it was read here"
        asked = f"Save among the workflows of {self._name} as"
        name = await view.app.push_screen_wait(TextInputDialog(asked, f"{entry.path.stem}.json", hint=hint))
        if not name:
            return
        try:
            document = await view.read(entry)
        except (ClientError, WorkflowError) as error:
            view.dashboard.report(f"copy: {error}")
            return
        await self.save(name.removeprefix(f"{SERVER}:"), document.graph)

    async def rename(self, entry: Entry) -> None:
        from comfytui.tui.widgets.text_input_dialog import TextInputDialog

        userdata, view = self._there(), self._view
        if userdata is None:
            return
        asked = f"Rename {entry.name} on {self._name} to"
        name = await view.app.push_screen_wait(TextInputDialog(asked, entry.name, hint="a name, or folder/name"))
        if not name or name == entry.name:
            return
        try:
            path = name if name.lower().endswith(".json") else f"{name}.json"
            await userdata.rename(entry.on_server, path)
        except ClientError as error:
            view.dashboard.report(f"rename: {error}")
            return
        view.dashboard.say(f"{entry.name} is now {sanitize.line(path)}")
        await view.shelf.find_on_server(userdata)

    async def delete(self, entry: Entry) -> None:
        userdata, view = self._there(), self._view
        if userdata is None:
            return
        asked = f"Delete the workflow {entry.name} on {self._name}?"
        if not await view.dashboard.confirm(asked, "delete the file", "keep it", "It cannot be brought back."):
            return
        try:
            await userdata.delete(entry.on_server)
        except ClientError as error:
            view.dashboard.report(f"delete: {error}")
            return
        view.dashboard.say(f"deleted {entry.name}")
        await view.shelf.find_on_server(userdata)

    def _there(self) -> UserData | None:
        if not self._view.situation().live:
            self._view.dashboard.report("not connected: the server's own files cannot be changed now")
            return None
        return self._view.userdata
