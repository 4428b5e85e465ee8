"""A real server of the lab in a process of its own, for tests that attack it and for tests of its page."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any


@dataclass
class Running:
    """A server that answers: ``link`` is what it printed, ``log`` what it writes."""

    process: subprocess.Popen[str]
    port: int
    link: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return "\n".join(self.lines)

    def logged(self, words: str, seconds: float = 10.0) -> bool:
        """Whether a line with these words is written, now or soon."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if any(words in line for line in self.lines):
                return True
            time.sleep(0.02)
        return False

    def cookie(self) -> str:
        """The cookie for which the link is exchanged."""
        answer = self.ask("GET", "/" + self.link.partition("/?")[2].join(("?", "")))
        return answer.getheader("set-cookie", "").partition(";")[0]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> HTTPResponse:
        """The answer to one request; ``headers`` beside the host, or in its place."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        given = {"host": self.host} | {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        chunked = body is not None and not isinstance(body, bytes)
        given |= {"transfer-encoding": "chunked"} if chunked else {"content-length": str(len(body))} if body else {}
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders(body, encode_chunked=chunked)
        return connection.getresponse()

    def peak_memory(self) -> int:
        """The most memory that it has held, in bytes (Linux)."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read())[1]) * 1024  # type: ignore[index]


@contextmanager
def running(folder: Path | None = None) -> Iterator[Running]:
    """Start a server on a free port, wait until it answers, and end it.  ``folder``: for its temporary files."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "chainrule", "lab", "--no-browser", "--port", str(port)]
    environment = os.environ | ({} if folder is None else {"TMPDIR": str(folder)})
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, **streams, text=True, env=environment) as process:
        server = Running(process, port)

        def read() -> None:
            for line in process.stdout or ():
                server.lines.append(line.rstrip())

        threading.Thread(target=read, daemon=True).start()
        try:
            assert server.logged("the lab is at", 60), server.log
            server.link = next(line for line in server.lines if "the lab is at" in line).split()[-1]
            yield server
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
