"""The local engine as the dashboard sees it: started, watched, restarted, and stopped or left on leaving."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfytui.local_engine import LocalEngine, Status
    from comfytui.tui.app import Dashboard

TAIL = 200  # lines of the log that are shown


class EngineControl:
    """Joins `local_engine` to the session: its phase and log become messages, and its address the server."""

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard
        self._engine: LocalEngine | None = None
        self._connected = False
        self._reported = ""  # why it did not run, while that is so

    @property
    def alive(self) -> bool:
        """Whether our engine runs, and would go on when we leave."""
        from comfytui.local_engine import Phase

        return self._engine is not None and self._engine.status.phase in (Phase.STARTING, Phase.READY)

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines that the engine wrote."""
        return self._engine.status.log if self._engine is not None else ()

    async def start(self) -> None:
        """Start the engine and connect to it. Run it in a worker; what goes wrong is shown on Live."""
        from comfytui import local_engine
        from comfytui.client import sanitize

        settings = self._dashboard.settings.engine
        self._connected = False
        if self._engine is None:
            self._engine = local_engine.LocalEngine(settings.port, settings.arguments, clean=sanitize.line)
            self._engine.subscribe(self._tell)
        self._told("starting the engine …", [("starting python -m engine", "dim")])
        try:
            await self._engine.start()
            await self._engine.wait_ready()
        except local_engine.PortTaken as problem:
            await self._taken(problem)
        except local_engine.EngineError as problem:
            if self._engine.status.phase is not local_engine.Phase.CRASHED:  # a crash has been told by the status
                self._failed(str(problem))

    async def restart(self) -> None:
        """End what is left of it, and start anew."""
        if self._engine is not None:
            await self._engine.stop()
        await self.start()

    async def _taken(self, problem: Exception) -> None:
        """Somebody has the port: say who, and offer to use what is there."""
        from comfytui.local_engine import PortTaken

        if not isinstance(problem, PortTaken):
            return
        listener = problem.listener
        url = f"http://127.0.0.1:{listener.port}"
        who = f"Port {listener.port} is taken" + str(listener).partition("is taken")[2] + "."
        if listener.comfyui and await self._dashboard.confirm(who, f"connect to {url}", "do not connect"):
            self._clear()
            await self._dashboard.session.connect(url)
            return
        fix = "Stop it, or set another port: engine.port in the settings."
        self._failed(f"{who} {fix}")

    def _tell(self, status: Status) -> None:
        from comfytui.local_engine import Phase

        log = [(line, "dim") for line in status.log[-TAIL:]]
        session = self._dashboard.session
        session.engine_log = status.log
        match status.phase:
            case Phase.STARTING:
                self._told(status.text or "starting", [*log, ("", "dim"), ("the engine is starting …", "accent")])
            case Phase.READY:
                if not self._connected:
                    self._connected = True
                    self._clear()
                    self._dashboard.run_worker(self._connect(), name="connect", group="session", exclusive=True)
                else:
                    session.changed()
            case Phase.CRASHED:
                self._failed(status.text, log)
            case Phase.STOPPING:
                self._told("stopping the engine …", log)
            case Phase.STOPPED:
                session.changed()

    async def _connect(self) -> None:
        if self._engine is not None:
            await self._dashboard.session.connect(self._engine.url)
            await self._dashboard.session.connect_others()

    def _told(self, notice: str, lines: list[tuple[str, str]]) -> None:
        session = self._dashboard.session
        session.engine_stopped = False
        session.notice, session.engine_message = notice, lines
        session.changed()

    def _failed(self, text: str, log: list[tuple[str, str]] | None = None) -> None:
        """It does not run: say why, with its last lines, and what to do."""
        session = self._dashboard.session
        session.engine_stopped = True
        session.notice = ""
        session.engine_message = [
            (text, "failed"),
            ("", "dim"),
            ("r  start the engine again        ctrl+q  leave", "text"),
            ("", "dim"),
            *(log or [])[-40:],
        ]
        self._reported = text
        self._dashboard.report(text, toast=self._dashboard.current != "live")  # Live shows all of it
        session.changed()

    def _clear(self) -> None:
        self._dashboard.overcome(self._reported)
        self._reported = ""
        session = self._dashboard.session
        session.engine_stopped, session.notice, session.engine_message = False, "", []
        session.changed()

    async def leave(self) -> bool:
        """Stop it, or leave it running: as the settings say, or as was answered once. False: do not leave at all."""
        from comfytui.settings.memory import recall, remember

        if self._engine is None or not self.alive:
            return True
        choice = self._dashboard.settings.leave_engine_running
        keep = {"yes": True, "no": False}.get(choice, recall().leave_engine_running)
        if keep is None:
            keep = await self._dashboard.confirm(
                f"The engine at 127.0.0.1:{self._dashboard.settings.engine.port} runs. Leave it running for the next time?",
                "leave it running",
                "stop it",
                "The answer is remembered; leave_engine_running in the settings changes it.",
            )
            if keep is None:
                return False
            await asyncio.to_thread(remember, leave_engine_running=keep)
        if keep:
            await self._engine.leave()
        else:
            self._dashboard.session.notice = "stopping the engine …"
            self._dashboard.session.changed()
            await self._engine.stop()
        return True
