"""A real Chromium, headless and without a network, by its DevTools protocol: for pages that compute."""

import asyncio
import base64
import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import urlopen

from tornado.websocket import websocket_connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NOT_INSTALLED = "playwright and axe are not installed: pip install -r requirements-browser.lock"
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run", "--remote-debugging-port=0", "--host-resolver-rules=MAP * ~NOTFOUND"),
)


class Page:
    """One tab. ``console`` holds what was said there, errors and failed requests included."""

    def __init__(self, connection: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._connection, self._loop, self._numbers = connection, loop, itertools.count(1)
        self.console: list[str] = []
        self.requests: list[str] = []
        for domain in ("Runtime", "Page", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._loop.run_until_complete(self._send(method, parameters))

    async def _send(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        await self._connection.write_message(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(await self._connection.read_message())
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._note(message.get("method"), message.get("params"))

    def _note(self, method: str | None, said: Any) -> None:
        if method == "Runtime.consoleAPICalled":
            self.console.append(" ".join(str(each.get("value")) for each in said["args"]))
        elif method == "Runtime.exceptionThrown":
            self.console.append(said["exceptionDetails"].get("exception", {}).get("description", "exception"))
        elif method == "Log.entryAdded":
            self.console.append(said["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])

    def open(self, file: Path, width: int = 1280, height: int = 1800) -> None:
        phone = width < 600
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.send("Page.navigate", url=file.resolve().as_uri())
        self.until("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, expression: str, seconds: float = 60) -> float:
        """Wait for an expression to hold; how long it took, in seconds."""
        start = time.monotonic()
        while not self.evaluate(f"Boolean({expression})"):
            assert time.monotonic() - start < seconds, f"never: {expression}"
            time.sleep(0.02)
        return time.monotonic() - start

    def picture(self, file: Path) -> None:
        content = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        file.write_bytes(base64.b64decode(content))


@contextmanager
def chromium() -> Iterator[Page]:
    """A browser with one empty tab, ended with the context."""
    assert CHROMIUM
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [CHROMIUM, *QUIET, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        loop = asyncio.new_event_loop()
        try:
            port = Path(profile) / "DevToolsActivePort"
            deadline = time.monotonic() + 60
            while not port.is_file() or not port.read_text().strip():
                assert time.monotonic() < deadline, "Chromium does not start"
                time.sleep(0.1)
            with urlopen(f"http://127.0.0.1:{port.read_text().splitlines()[0]}/json") as answer:
                address = next(each for each in json.load(answer) if each["type"] == "page")["webSocketDebuggerUrl"]
            connection = loop.run_until_complete(_connected(address))
            yield Page(connection, loop)
            loop.run_until_complete(_closed(connection))
        finally:
            process.terminate()
            process.wait()
            loop.close()


async def _connected(address: str) -> Any:
    return await websocket_connect(address, max_message_size=2**30)


async def _closed(connection: Any) -> None:
    """In a loop that runs: outside of one asyncio would make another, which nobody closes."""
    connection.close()
