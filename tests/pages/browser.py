"""A headless Chromium over its debugging pipe, with the standard library alone. No test itself."""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-extensions",
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
)


def find_browser() -> tuple[str | None, str]:
    """The browser's path, or None and the reason.

    It is the one that the variable CHROME names, else the first of `NAMES` that is on the path.
    """
    if sys.platform == "win32":
        return None, "the debugging pipe of Chromium needs file descriptors that Windows does not hand on"
    given = os.environ.get("CHROME")
    if given:
        found = shutil.which(given)
        return found, "" if found else f"CHROME={given} is no program"
    for name in NAMES:
        if found := shutil.which(name):
            return found, ""
    return None, f"no browser: none of {', '.join(NAMES)} is on the path; install chromium or set CHROME"


class Browser:
    """One browser process and its events; `Page` drives a tab.

    Messages are JSON ended by a zero byte, over the file descriptors 3 (to the browser) and 4 (from it).
    """

    def __init__(self, program: str, folder: Path) -> None:
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        log = os.open(folder / "browser.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        low = (to_browser, from_browser, log)
        # Clear of 3 and 4, which are taken first.
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 64) for fd in low]
        for fd in low:
            os.close(fd)
        flags = [*FLAGS, f"--user-data-dir={folder / 'profile'}"]
        if os.geteuid() == 0:
            flags.append("--no-sandbox")
        ends = {3: high[0], 4: high[1], 1: high[2], 2: high[2]}
        actions = [(os.POSIX_SPAWN_DUP2, opened, fd) for fd, opened in ends.items()]
        command = [program, *flags, "about:blank"]
        self.pid = os.posix_spawn(program, command, os.environ, file_actions=actions, setpgroup=0)
        for fd in high:
            os.close(fd)
        self._buffer, self._number, self.log = b"", 0, folder / "browser.log"
        self.events: list[dict[str, Any]] = []

    def send(
        self, method: str, session: str | None = None, timeout: float = 60, **params: Any
    ) -> dict[str, Any]:
        """The result of one command.

        Raises:
            RuntimeError: the browser's error.
            TimeoutError: it does not answer.
        """
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + timeout
        while True:
            got = self._receive(end, method)
            if got.get("id") == self._number:
                if "error" in got:
                    raise RuntimeError(f"{method}: {got['error']}")
                return dict(got["result"])
            self.events.append(got)

    def _receive(self, end: float, waiting: str) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._in], [], [], max(0, end - time.monotonic()))
            data = os.read(self._in, 1 << 20) if ready else b""
            if not data:
                what = "closed" if ready else "did not answer"
                raise TimeoutError(f"the browser {what} at {waiting}: {self.log.read_text()[-2000:]}")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\0", 1)
        return dict(json.loads(line))

    def close(self) -> None:
        """End the browser and what it started."""
        os.close(self._out)
        os.close(self._in)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


class Page:
    """A tab without network.

    http, https and the rest are blocked and counted. Console messages and exceptions are kept.
    """

    def __init__(self, browser: Browser, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        self.browser = browser
        self.target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.send("Target.attachToTarget", targetId=self.target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send(
            "Network.emulateNetworkConditions",
            offline=True,
            latency=0,
            downloadThroughput=0,
            uploadThroughput=0,
        )
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.scheme("dark" if dark else "light")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        return self.browser.send(method, self.session, **params)

    def scheme(self, name: str) -> None:
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def open(self, path: Path) -> None:
        self.send("Page.bringToFront")  # a tab behind another one draws nothing
        self.send("Page.navigate", url=path.as_uri())
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")
        self.wait("[window.report, window.explorer, window.leaderboard].some(Boolean)")  # its code has run

    def close(self) -> None:
        self.browser.send("Target.closeTarget", targetId=self.target)

    def run(self, code: str) -> Any:
        """The value of an expression in the page, awaited; RuntimeError with its stack where it throws."""
        got = self.send(
            "Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in got:
            raise RuntimeError(_thrown(got["exceptionDetails"]))
        return got["result"].get("value")

    def wait(self, condition: str, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not self.run(condition):
            if time.monotonic() > end:
                raise TimeoutError(f"still not: {condition}")
            time.sleep(0.02)

    def press(self, key: str, code: int = 0, text: str = "") -> None:
        """A key down and up on what has the focus."""
        more = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        typed = {"text": text} if text else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **more, **typed)
        self.send("Input.dispatchKeyEvent", type="keyUp", **more)

    def requests(self) -> list[str]:
        """The URLs that the page asked for so far."""
        return [event["params"]["request"]["url"] for event in self._events("Network.requestWillBeSent")]

    def complaints(self) -> list[str]:
        """Console warnings and errors, log entries and uncaught exceptions so far."""
        found = []
        for event in self._events("Runtime.exceptionThrown"):
            found.append(_thrown(event["params"]["exceptionDetails"]))
        for event in self._events("Runtime.consoleAPICalled"):
            said = [arg.get("value", arg.get("description")) for arg in event["params"]["args"]]
            found.append(f"{event['params']['type']}: {said}")
        for event in self._events("Log.entryAdded"):
            entry = event["params"]["entry"]
            found.append(f"{entry['level']}: {entry['text']} {entry.get('url', '')}")
        return found

    def screenshot(self, path: Path, whole: bool = True) -> None:
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _events(self, method: str) -> list[dict[str, Any]]:
        return [
            event
            for event in self.browser.events
            if event.get("sessionId") == self.session and event["method"] == method
        ]


def _thrown(details: dict[str, Any]) -> str:
    """An exception of the page, with its stack where it has one."""
    return str(details.get("exception", {}).get("description", details["text"]))
