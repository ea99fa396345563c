"""A headless Chromium, driven by its own debugging protocol over the WebSocket library that is here anyway."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-port=0",
    "--window-size=1280,800", "--lang=en-US",
    # Nothing but this machine: a page that asks for more must not make the tests depend on a network.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)  # fmt: skip


class PageError(Exception):
    """The page threw, or what was waited for did not come."""


@dataclass
class Page:
    """One tab. Times are seconds."""

    line: ClientConnection
    requests: dict[str, str] = field(default_factory=dict)  # id → "GET url"
    answers: list[tuple[str, int, str]] = field(default_factory=list)  # "GET url", status, content type
    errors: list[str] = field(default_factory=list)  # exceptions and console errors
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self.line.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.line.recv(timeout=120))
            if message.get("id") == number:
                if "error" in message:
                    raise PageError(f"{method}: {message['error']}")
                return message["result"]
            self._note(message)

    def evaluate(self, expression: str) -> Any:
        """The value of JavaScript, awaited if it is a promise; it must be JSON."""
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise PageError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, expression: str, seconds: float = 60.0) -> Any:
        """The value of JavaScript once it is true."""
        end = time.monotonic() + seconds
        while not (value := self.evaluate(expression)):
            if time.monotonic() > end:
                raise PageError(f"not after {seconds:g} s: {expression}; errors of the page: {self.errors[-5:]}")
            time.sleep(0.1)  # the page tells nobody when it has drawn
        return value

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def click(self, x: float, y: float) -> None:
        """A click where a person would click, in pixels of the page."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests[params["requestId"]] = f"{params['request']['method']} {params['request']['url']}"
            case "Network.responseReceived":
                answer = params["response"]
                name = self.requests.get(params["requestId"], answer["url"])
                self.answers.append((name, answer["status"], answer["mimeType"]))
            case "Runtime.exceptionThrown":
                self.errors.append(json.dumps(params["exceptionDetails"])[:2000])
            case "Runtime.consoleAPICalled" if params.get("type") == "error":
                self.errors.append(" ".join(str(a.get("value", a.get("description"))) for a in params["args"])[:2000])


@contextlib.contextmanager
def browser() -> Iterator[Page]:
    """A browser with a profile of its own and one empty page; both are gone afterwards."""
    assert PROGRAM is not None
    with tempfile.TemporaryDirectory(prefix="comfytui-chromium-", ignore_cleanup_errors=True) as profile:
        command = [PROGRAM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            with connect(_page_address(process), max_size=None, ping_interval=None) as line:
                page = Page(line)
                for domain in ("Page", "Runtime", "Network"):
                    page.call(f"{domain}.enable")
                yield page
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)


def _page_address(process: subprocess.Popen[str]) -> str:
    """The debugging address of the first page, from the line that the browser prints when it listens."""
    assert process.stderr is not None
    said: list[str] = []
    for text in process.stderr:
        said.append(text)
        if text.startswith("DevTools listening on ws://"):
            host = text.split("ws://")[1].split("/")[0]
            with urllib.request.urlopen(f"http://{host}/json/list", timeout=60) as response:
                pages = [one for one in json.load(response) if one["type"] == "page"]
            return str(pages[0]["webSocketDebuggerUrl"])
    raise PageError(f"Chromium ended: {''.join(said[-10:])}")
