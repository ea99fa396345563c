"""What the handlers of all routes share, and how they get it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from engine.files.folders import Folders
from engine.options import Options
from engine.server.hub import Hub
from engine.server.journal import Journal

if TYPE_CHECKING:
    from engine.jobs.dispatch import Dispatcher
    from engine.jobs.store import JobStore
    from engine.worker.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Services:
    """Made once at the start; lives as long as the application."""

    options: Options
    folders: Folders
    hub: Hub
    journal: Journal
    store: JobStore
    worker: Supervisor
    dispatcher: Dispatcher
    argv: tuple[str, ...] = field(default=())

    def features(self) -> dict[str, object]:
        """What this server can do, for `/features` and the `feature_flags` answer."""
        return {
            "supports_preview_metadata": True,
            "max_upload_size": self.options.max_upload_bytes,
            "extension": {"manager": {"supports_v4": True}},
        }


SERVICES = web.AppKey("services", Services)


def services(request: web.Request) -> Services:
    return request.config_dict[SERVICES]
