"""The guard by itself, in front of an application that says yes to everything; what a real server does is in
test_attacks.py.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from typing import Any

import pytest

from chainrule.lab.security import MOST_BODY, MOST_FRAME, TOO_BIG, UPLOAD, Guard, inline_scripts
from chainrule.lab.server import is_loopback, names_of

PAGE = b"<html><script>let a = 1;</script><script type='module'>b()</script><script src='/c.js'></script></html>"


class Yes:
    """Answers every request with its page once it has read it, and echoes every WebSocket message."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.messages: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (message := await receive())["type"] == "websocket.receive":
                self.messages.append(message)
            self.messages.append(message)
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionError("went away")
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        headers = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", b"%d" % len(PAGE))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": PAGE[:20], "more_body": True})
        await send({"type": "http.response.body", "body": PAGE[20:]})


class Browser:
    """Sends requests to a guard as a server would hand them on."""

    def __init__(self, **options: Any) -> None:
        given = {"hosts": names_of("127.0.0.1", 8080), "port": 8080, "any_address": False, "most_upload": 3000}
        self.application = Yes()
        self.guard = Guard(self.application, **(given | options))
        self.cookie: str | None = None

    def ask(
        self,
        path: str = "/",
        query: str = "",
        method: str = "GET",
        body: tuple[bytes, ...] = (b"",),
        cookie: bool = True,
        kind: str = "http",
        messages: tuple[Any, ...] = (),
        raw: bytes | None = None,
        **headers: str | None,
    ) -> list[Any]:
        """What the guard sends.  ``headers`` in place of the usual ones; None leaves one out."""
        given: dict[str, str | None] = {"host": "127.0.0.1:8080", "cookie": self.cookie if cookie else None}
        if kind == "websocket":
            given["origin"] = "http://127.0.0.1:8080"
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        pairs = [(name.encode(), value.encode()) for name, value in given.items() if value is not None]
        scope = {
            "type": kind,
            "path": path,
            "raw_path": raw if raw is not None else path.encode(),
            "query_string": query.encode(),
            "headers": pairs,
            "client": ("127.0.0.1", 5),
        }
        if kind == "http":
            scope["method"] = method
        waiting = list(messages) or [
            {"type": "http.request", "body": part, "more_body": n + 1 < len(body)} for n, part in enumerate(body)
        ]
        sent: list[Any] = []

        async def receive() -> Any:
            return waiting.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.guard(scope, receive, send))
        return sent

    def enter(self) -> None:
        """Open the printed link."""
        start, _ = self.ask("/", f"token={self.guard.token}")
        self.cookie = headers_of(start)["set-cookie"].partition(";")[0]


def headers_of(start: Any) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in start["headers"]}


@pytest.fixture
def browser() -> Browser:
    made = Browser()
    made.enter()
    return made


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING, "chainrule.lab")
    return caplog


def test_the_link_is_exchanged_for_a_cookie() -> None:
    browser = Browser()
    start, body = browser.ask("/", f"network=Dense(3)%26&token={browser.guard.token}&epochs=5")
    cookie = headers_of(start)["set-cookie"]
    assert start["status"] == 200 and "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie
    assert browser.guard.token not in cookie and browser.guard.token.encode() not in body["body"]
    assert b'content="0;url=/?network=Dense%283%29%26&amp;epochs=5"' in body["body"]
    assert not browser.application.bodies
    browser.enter()
    assert browser.ask("/")[0]["status"] == 200
    assert browser.application.bodies


def test_what_the_link_says_cannot_leave_its_place() -> None:
    browser = Browser()
    _, body = browser.ask(
        "/", f"token={browser.guard.token}&a=%22%3E%3Cscript%3E&b=%0d%0aset-cookie:x&url=//evil.example"
    )
    assert b"<script" not in body["body"] and b"\r" not in body["body"] and b"url=/?" in body["body"]


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "no cookie": ({"cookie": False}, 403, "no token"),
    "wrong token": ({"cookie": False, "query": "token=abc"}, 403, "wrong token"),
    "token at another path": ({"cookie": False, "path": "/upload", "query": "token="}, 403, "token"),
    "wrong cookie": ({"cookie": "chainrule-lab-8080=abc"}, 403, "no token"),
    "broken cookie": ({"cookie": "\x01=;;=;"}, 403, "no token"),
    "rebound host": ({"host": "evil.example:8080"}, 421, "evil.example"),
    "host of another port": ({"host": "127.0.0.1:80"}, 421, "not this server's"),
    "host without port": ({"host": "127.0.0.1"}, 421, "not this server's"),
    "host that ends alike": ({"host": "127.0.0.1:8080.evil.example"}, 421, "not this server's"),
    "address of a network": ({"host": "192.168.0.7:8080"}, 421, "not this server's"),
    "no host": ({"host": None}, 400, "0 headers"),
    "other origin": ({"origin": "http://evil.example"}, 403, "another site"),
    "origin of another port": ({"origin": "http://127.0.0.1:3000"}, 403, "another site"),
    "origin by another name": ({"origin": "http://localhost:8080"}, 403, "another site"),
    "no place as origin": ({"origin": "null"}, 403, "another site"),
    "origin of https": ({"origin": "https://127.0.0.1:8080"}, 403, "another site"),
    "image of another page": ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}, 403, "another site"),
    "image of another port": ({"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors"}, 403, "another site"),
    "dots": ({"path": "/_nicegui/../../etc/passwd"}, 400, "leads elsewhere"),
    "encoded dots": ({"path": "/a/x", "raw": b"/a/%2E%2e/x"}, 400, "leads elsewhere"),
    "encoded slash": ({"path": "/a/b", "raw": b"/a%2fb"}, 400, "leads elsewhere"),
    "backslash": ({"path": "/a\\..\\b"}, 400, "leads elsewhere"),
    "null": ({"path": "/a\x00b"}, 400, "leads elsewhere"),
    "two slashes": ({"path": "//evil.example/a"}, 400, "leads elsewhere"),
    "another method": ({"method": "DELETE"}, 405, "method DELETE"),
    "too much announced": ({"method": "POST", "content_length": str(MOST_BODY + 1)}, 413, "at most"),
    "too much announced to upload": ({"method": "POST", "path": UPLOAD, "content_length": "3001"}, 413, "at most"),
    "no number announced": ({"method": "POST", "content_length": "-1"}, 413, "no number"),
    "too much sent": ({"method": "POST", "body": (bytes(MOST_BODY), b"x")}, 413, "too much"),
    "too much sent to upload": ({"method": "POST", "path": UPLOAD, "body": (bytes(2000),) * 4}, 413, "too much"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_logged(browser: Browser, logged: pytest.LogCaptureFixture, name: str) -> None:
    given, status, words = REFUSED[name]
    if isinstance(given.get("cookie"), str):
        browser.cookie = given["cookie"]
        given = {key: value for key, value in given.items() if key != "cookie"}
    start, body = browser.ask(**given)
    assert start["status"] == status and words in body["body"].decode()
    assert "default-src 'none'" in headers_of(start)["content-security-policy"]
    assert not browser.application.bodies
    (record,) = logged.records
    assert words in record.getMessage() and "from 127.0.0.1" in record.getMessage()


def test_what_is_sent_cannot_write_lines_of_the_log(browser: Browser, logged: pytest.LogCaptureFixture) -> None:
    browser.ask("/a\r\n12:00 all is well", host="evil\nsecond")
    assert all("\n" not in record.getMessage() for record in logged.records)


def test_the_token_is_not_in_the_log(browser: Browser, logged: pytest.LogCaptureFixture) -> None:
    browser.ask("/", f"token={browser.guard.token}", host="evil.example")
    assert browser.guard.token not in logged.text


SOCKETS: dict[str, dict[str, Any]] = {
    "other origin": {"origin": "http://evil.example"},
    "no origin": {"origin": None},
    "other host": {"host": "evil.example:8080", "origin": "http://evil.example:8080"},
    "no cookie": {"cookie": False},
    "token and no cookie": {"cookie": False, "query": "token"},
    "dots": {"path": "/_nicegui_ws/../x"},
}


@pytest.mark.parametrize("name", SOCKETS)
def test_sockets_that_are_refused(browser: Browser, logged: pytest.LogCaptureFixture, name: str) -> None:
    given = dict(SOCKETS[name])
    if given.get("query") == "token":
        given["query"] = f"token={browser.guard.token}"
    sent = browser.ask(**{"path": "/_nicegui_ws/socket.io/", "kind": "websocket", "messages": ({},), **given})
    assert [message["type"] for message in sent] == ["websocket.close"]
    assert len(logged.records) == 1 and not browser.application.messages


def test_frames(browser: Browser, logged: pytest.LogCaptureFixture) -> None:
    connect, small = {"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}
    large = {"type": "websocket.receive", "text": "é" * (MOST_FRAME // 2 + 1)}
    sent = browser.ask("/s", kind="websocket", messages=(connect, small, large))
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert sent[1]["code"] == TOO_BIG and "WebSocket message" in logged.text
    assert browser.application.messages == [small, {"type": "websocket.disconnect", "code": TOO_BIG}]


def test_a_page_names_its_scripts(browser: Browser) -> None:
    start, *parts = browser.ask("/")
    assert b"".join(part["body"] for part in parts) == PAGE
    policy = headers_of(start)["content-security-policy"]
    scripts = policy.partition("script-src ")[2].partition(";")[0]
    for text in (b"let a = 1;", b"b()"):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'" in scripts
    assert len(inline_scripts(PAGE)) == 2 and "'unsafe-inline'" not in scripts
    assert headers_of(start)["content-length"] == str(len(PAGE))


def test_an_upload_within_the_limit(browser: Browser) -> None:
    assert browser.ask(UPLOAD, method="POST", body=(bytes(1000), bytes(1000)))[0]["status"] == 200
    assert browser.application.bodies == [bytes(2000)]


def test_where_other_machines_are_let_in() -> None:
    browser = Browser(hosts=names_of("0.0.0.0", 8080), any_address=True)
    browser.enter()
    for host, status in (("192.168.0.7:8080", 200), ("[fe80::1]:8080", 200), ("evil.example:8080", 421)):
        assert browser.ask("/", host=host)[0]["status"] == status
    assert browser.ask("/", host="192.168.0.7:81")[0]["status"] == 421


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("127.9.9.9", True), ("0.0.0.0", False), ("::", False)],
)
def test_which_addresses_only_this_machine_reaches(host: str, local: bool) -> None:
    assert is_loopback(host) == local
