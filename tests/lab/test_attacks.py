"""Attacks on a real server in a process of its own: each is refused and logged, and the server goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("nicegui", reason="needs the extra lab")

from lab.running import Running, running

SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport="


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def cookie(server: Running) -> str:
    found = server.cookie()
    assert found.startswith("chainrule-lab-")
    return found


@pytest.fixture(autouse=True)
def it_goes_on(server: Running, cookie: str) -> Iterator[None]:
    """After every attack the server answers those who may ask."""
    yield
    answer = server.ask("GET", "/", cookie=cookie)
    assert answer.status == 200 and b"chainrule lab" in answer.read()


def refused(server: Running, path: str, words: str, status: int = 403, **headers: str) -> None:
    server.lines.clear()
    answer = server.ask("GET", path, **headers)
    assert answer.status == status
    body = answer.read()
    assert words.encode() in body and len(body) < 500
    assert server.logged("refused") and words in server.log and server.link.partition("token=")[2] not in server.log


def test_a_name_that_was_made_to_point_here(server: Running, cookie: str) -> None:
    refused(server, "/", "host", 421, cookie=cookie, host=f"evil.example:{server.port}")
    refused(server, SOCKET + "polling", "host", 421, cookie=cookie, host="evil.example")


@pytest.mark.parametrize("path", ["/", "/upload", SOCKET + "polling", "/_nicegui/3.18.0/static/nicegui.js"])
def test_another_site_or_nobody(server: Running, cookie: str, path: str) -> None:
    refused(server, path, "another site", cookie=cookie, origin="http://evil.example")
    refused(server, path, "another site", cookie=cookie, origin="http://127.0.0.1:1")
    refused(server, path, "no token")
    refused(server, path, "no token", cookie=cookie[:-1])


def test_a_wrong_token(server: Running) -> None:
    refused(server, "/?token=0123456789", "wrong token")
    refused(server, "/?token=%C3%A9%00", "wrong token")


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/_nicegui/%2e%2e/%2e%2e/etc/passwd",
        "/_nicegui/3.18.0/static/..%2f..%2f..%2fetc/passwd",
        "/_nicegui/3.18.0/resources/x/..%5c..%5cetc",
        "/_nicegui/3.18.0/static//etc/passwd",
    ],
)
def test_a_path_that_leads_elsewhere(server: Running, cookie: str, path: str) -> None:
    refused(server, path, "leads elsewhere", 400, cookie=cookie)


@pytest.mark.parametrize("path", ["/etc/passwd", "/_nicegui/3.18.0/static/etc/passwd", "/docs", "/openapi.json"])
def test_there_is_nothing_else(server: Running, cookie: str, path: str) -> None:
    answer = server.ask("GET", path, cookie=cookie)
    assert answer.status == 404 and b"root:" not in answer.read()


def connect(server: Running, cookie: str | None, origin: str | None, host: str | None = None):
    client = pytest.importorskip("websockets.sync.client")
    headers = {} if cookie is None else {"Cookie": cookie}
    if host is not None:
        headers["Host"] = host
    return client.connect(
        f"ws://{server.host}{SOCKET}websocket", origin=origin, additional_headers=headers, max_size=None
    )


@pytest.mark.parametrize("with_cookie", [True, False])
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:3000", None])
def test_a_socket_from_another_site(server: Running, cookie: str, origin: str | None, with_cookie: bool) -> None:
    from websockets.exceptions import InvalidStatus

    server.lines.clear()
    with pytest.raises(InvalidStatus) as caught:
        connect(server, cookie if with_cookie else None, origin)
    assert caught.value.response.status_code == 403
    assert server.logged("refused WebSocket") and ("origin" in server.log)


def test_a_socket_without_the_cookie(server: Running) -> None:
    from websockets.exceptions import InvalidStatus

    server.lines.clear()
    with pytest.raises(InvalidStatus):
        connect(server, None, f"http://{server.host}")
    assert server.logged("no token")


def test_a_frame_that_is_too_large(server: Running, cookie: str) -> None:
    from websockets.exceptions import ConnectionClosed

    server.lines.clear()
    with connect(server, cookie, f"http://{server.host}") as socket:
        assert socket.recv(10).startswith("0{")  # Engine.IO opens
        with pytest.raises(ConnectionClosed) as caught:
            socket.send("4" + "x" * 2**21)
            while True:
                socket.recv(10)
    assert caught.value.rcvd is not None and caught.value.rcvd.code == 1009
    assert server.logged("a WebSocket message of more than 1 MB")


def test_rubbish_in_a_socket(server: Running, cookie: str) -> None:
    from websockets.exceptions import ConnectionClosed

    with connect(server, cookie, f"http://{server.host}") as socket:
        socket.recv(10)
        try:
            for rubbish in ("40", '42["event",{"client_id":"x"}]', "42[", b"\xff\x00", "9" * 1000, '42["handshake",1]'):
                socket.send(rubbish)
            socket.recv(0.5)
        except (ConnectionClosed, TimeoutError):
            pass


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("announced", [True, False])
def test_an_upload_that_is_too_large(server: Running, cookie: str, announced: bool) -> None:
    server.lines.clear()
    size, before = 200 * 2**20, server.peak_memory()
    block = bytes(2**20)
    headers = {"cookie": cookie, "origin": f"http://{server.host}", "content-type": "multipart/form-data; boundary=x"}
    if announced:
        answer = server.ask("POST", "/upload", bytes(size), **headers)
    else:
        first = b'--x\r\ncontent-disposition: form-data; name="files"; filename="x.csv"\r\n\r\n'
        answer = server.ask("POST", "/upload", (block if n else first for n in range(size // len(block))), **headers)
    assert answer.status == 413 and b"65 MB at most" in answer.read()
    assert server.logged("65 MB at most")
    assert server.peak_memory() - before < 120 * 2**20


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("..%2F..%2Fx.csv", b"a,b\n1,2\n", "no name for a file"),
        ("x.exe", b"MZ", "nothing that the lab reads"),
        ("x.csv", b"\xff\xfe\x00broken,\n\x80", "x.csv"),
        ("x.zip", b"PK\x03\x04 no archive", "the archive cannot be read"),
    ],
)
def test_what_cannot_be_taken_in(server: Running, cookie: str, name: str, content: bytes, words: str) -> None:
    server.lines.clear()
    form = b'--x\r\ncontent-disposition: form-data; name="files"; filename="%b"\r\n\r\n%b\r\n--x--\r\n'
    headers = {"cookie": cookie, "content-type": "multipart/form-data; boundary=x"}
    answer = server.ask("POST", "/upload", form % (name.encode(), content), **headers)
    assert words in answer.read().decode() and answer.status == 200
    assert server.logged("refused what was dropped")


def test_a_form_that_is_none(server: Running, cookie: str) -> None:
    for body, kind in ((b"x" * 1000, "multipart/form-data; boundary=y"), (b"{}", "application/json"), (b"", "a/b")):
        assert server.ask("POST", "/upload", body, cookie=cookie, content_type=kind).status in (200, 400)


def test_nothing_stays_behind(tmp_path: Path) -> None:
    with running(tmp_path) as other:
        form = b'--x\r\ncontent-disposition: form-data; name="files"; filename="x.csv"\r\n\r\n%b\r\n--x--\r\n'
        rows = b"a,b\n" + b"".join(b"%d,%d.5\n" % (n, n) for n in range(20))
        kind = "multipart/form-data; boundary=x"
        answer = other.ask("POST", "/upload", form % rows, cookie=other.cookie(), content_type=kind)
        assert b"dropped-" in answer.read()
        assert list(tmp_path.glob("*/dropped-*.csv"))
    assert not list(tmp_path.glob("chainrule-lab-*"))


def test_no_request_leaves_the_machine(server: Running, open_page) -> None:
    opened = open_page()
    opened.page.goto(server.link)
    opened.page.wait_for_url("**run=**", timeout=30_000)
    assert "token" not in opened.page.url
    assert opened.page.context.cookies()[0]["httpOnly"]
    assert {request.split("/")[2] for request in opened.requests if "//" in request} == {server.host}
    assert opened.problems == []
    # What another page, or a text that became markup, would have the page run is not run.
    opened.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')")
    script = "Object.assign(document.createElement('script'), {text: 'window.ran = 1'})"
    opened.page.evaluate(f"document.body.append({script})")
    opened.page.wait_for_timeout(200)
    assert opened.page.evaluate("window.ran") is None
