"""How the program tells something: `say`, `refuse` and `report`, for whatever happens on any screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from comfytui.tui import actions
from comfytui.tui.messages import Kind

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

    from comfytui.tui.app import Dashboard


class Telling:
    """A part of the dashboard. Nothing that is told ever lies over what is shown: it takes the status line."""

    @property
    def _teller(self) -> Dashboard:
        return cast("Dashboard", self)

    @property
    def last_error(self) -> str | None:
        """What failed last; None since something succeeded."""
        return self._teller.messages.error

    @last_error.setter
    def last_error(self, error: str | None) -> None:
        self._teller.messages.error = error

    def report(self, problem: str, toast: bool = True) -> None:
        """Show an error; it stays in the status line until the next action succeeds. `toast=False`: it is shown
        elsewhere, and only kept."""
        self._teller.messages.tell(Kind.FAILED, problem, show=toast)

    def overcome(self, problem: str) -> None:
        """What was reported is no longer so."""
        self._teller.messages.overcome(problem)

    def say(self, text: str) -> None:
        """Tell that something was done."""
        self._teller.messages.tell(Kind.DONE, text)

    def refuse(self, why: str) -> None:
        """Say why a key did nothing; it is no error."""
        key = actions.key_of("app.read_only", self._teller.keys_by_action)
        self.remark(f"{why} {key} allows it again.")

    def remark(self, text: str) -> None:
        """Tell what is neither a success nor an error."""
        self._teller.messages.tell(Kind.REFUSED, text)

    def tell_wrong_keys(self) -> None:
        """Name what is wrong in the settings' `[keys]`."""
        from comfytui.tui.actions.user_keys import checked

        if problems := checked(self._teller.settings.keys, actions.ACTIONS).problems:
            more = "" if len(problems) == 1 else f" (and {len(problems) - 1} more)"
            self.report(f"{problems[0]}{more}" + "".join(f"\n{each}" for each in problems[1:]))

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """What Textual's own parts call; theirs would lie over the content."""
        if severity == "error":
            self.report(message)
        else:
            self.remark(message)

    def on_app_focus(self) -> None:
        self._teller.notifier.focused = True

    def on_app_blur(self) -> None:
        self._teller.notifier.focused = False

    def messages_changed(self) -> None:
        """Another message is shown, or none."""
        me = self._teller
        if not me.is_running or not me.screen_stack:
            return
        me.draw_status()
        if len(me.screen_stack) > 1:
            me.run_worker(self._over_dialogs(), name="message", group="messages", exclusive=True)

    async def _over_dialogs(self) -> None:
        """A dialog dims what is below it, the status line too: what is told stands on the dialog as well."""
        from comfytui.tui.widgets.message_line import over

        me = self._teller
        shown = me.messages.shown
        key = actions.key_of("app.messages", me.keys_by_action)
        for screen in me.screen_stack[1:]:
            await over(screen, me.palette, shown if screen is me.screen else None, key)
