"""Who may speak to the lab: every HTTP request and WebSocket passes here first, and what is refused is logged.

The lab runs on the user's machine, so the danger is another page in the same browser, and other users of the machine.

- A page elsewhere can send requests to 127.0.0.1, and can make a name of its own resolve to it (DNS rebinding).  So
  the ``Host`` must be the server's own, and the ``Origin``, where a browser sends one, must be that host.  WebSockets
  are not covered by the browser's same-origin policy: they must have that ``Origin``.
- Another user of the machine can connect.  So there is a token in the link that the server prints, exchanged for a
  cookie that scripts cannot read and that no request from another site carries; nothing is answered without it.
- What is sent is limited while it arrives, and paths that lead out of a folder are refused before anything looks at
  them.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import re
import secrets
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("chainrule.lab")

TOKEN = "token"
MOST_BODY = 2**20  # bytes of a request that is no upload
MOST_FRAME = 2**20  # of a WebSocket message
TOO_BIG = 1009  # the code with which a WebSocket is closed for that (RFC 6455, §7.4.1)
VIOLATION = 1008
MOST_DISCARDED = 2**31  # bytes of an upload that is too large, read so that its sender hears why it was refused
METHODS = frozenset({"GET", "HEAD", "POST"})
UPLOAD = "/upload"

_SCRIPT = re.compile(rb"<script([^>]*)>(.*?)</script>", re.DOTALL | re.IGNORECASE)
_OUT = re.compile(r"(?:^|[/\\])\.\.(?:[/\\]|$)|\\|[\x00-\x1f\x7f]")
_ENCODED = re.compile(rb"%(?:2e|2f|5c|00)", re.IGNORECASE)


class Refused(Exception):
    """A request that is not answered: why, and with which status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Guard:
    """The application behind everything that must hold before it sees a request.

    ``hosts``: the names under which it may be spoken to, with their port; ``any_address``: and by the address of any of
    the machine's networks, which no other site can make its own.  ``most_upload``: bytes.
    """

    def __init__(
        self, application: Application, *, hosts: Iterable[str], port: int, any_address: bool, most_upload: int
    ) -> None:
        self.application = application
        self.hosts = frozenset(hosts)
        self.port = port
        self.any_address = any_address
        self.most_upload = most_upload
        self.token = secrets.token_urlsafe(32)
        self._session = secrets.token_urlsafe(32)
        self._cookie = f"chainrule-lab-{port}"  # cookies know no ports, and there may be two labs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
            return
        try:
            self._check(scope)
        except Refused as refused:
            self._log(scope, refused)
            await (_answer(send, refused) if scope["type"] == "http" else _close(send, VIOLATION))
            return
        if scope["type"] == "websocket":
            await self._watch_socket(scope, receive, send)
        elif (page := self._exchange(scope)) is not None:
            await _send(send, *page)
        else:
            await self._watch_request(scope, receive, send)

    # --- who asks -----------------------------------------------------------------------------------------------------

    def _check(self, scope: Scope) -> None:
        """Raise Refused unless the request comes from this server's own pages and may be looked at."""
        headers = _headers(scope)
        host = _only(headers, "host")
        if not self._is_ours(host):
            raise Refused(421, f"host {host!r} is not this server's")
        origin = _only(headers, "origin") if "origin" in headers else None
        if origin is not None and origin != f"http://{host}":
            raise Refused(403, f"origin {origin!r} is another site")
        if scope["type"] == "websocket" and origin is None:
            raise Refused(403, "a WebSocket without an origin")
        if scope["type"] == "http" and scope["method"] not in METHODS:
            raise Refused(405, f"method {scope['method']}")
        _refuse_path(scope)
        if not self._is_known(headers) and self._exchange(scope) is None:
            given = TOKEN in dict(parse_qsl(scope["query_string"].decode("latin-1")))
            raise Refused(403, "a wrong token" if given else "no token; open the link that the server printed")
        # Requests of another site's page that carry no origin, such as an image of it.
        site = headers.get("sec-fetch-site", ["none"])[0]
        if site not in ("none", "same-origin") and headers.get("sec-fetch-mode") != ["navigate"]:
            raise Refused(403, f"a request from another site ({site})")

    def _is_ours(self, host: str) -> bool:
        if host in self.hosts:
            return True
        name, _, port = host.rpartition(":")
        if not self.any_address or port != str(self.port):
            return False
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    def _is_known(self, headers: dict[str, list[str]]) -> bool:
        """Whether the session's cookie is there."""
        # Taken apart here: other programs leave cookies for 127.0.0.1 too, and not all of them are well formed.
        pairs = (pair.strip().partition("=") for text in headers.get("cookie", ()) for pair in text.split(";"))
        return any(
            name == self._cookie and secrets.compare_digest(value.encode(), self._session.encode())
            for name, _, value in pairs
        )

    def _exchange(self, scope: Scope) -> tuple[int, dict[str, str], bytes] | None:
        """For the printed link: a page that goes on to the lab without the token, and sets the cookie.

        Not a redirection: the cookie is of requests that come from this site, and one that began elsewhere stays one.
        """
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != "/":
            return None
        asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        token = next((value for name, value in asked if name == TOKEN), None)
        if token is None or not secrets.compare_digest(token.encode(), self.token.encode()):
            return None
        rest = urlencode([(name, value) for name, value in asked if name != TOKEN])
        target = f"/?{rest}" if rest else "/"
        quoted = target.replace("&", "&amp;").replace('"', "&quot;")
        body = f'<!doctype html><meta http-equiv="refresh" content="0;url={quoted}"><title>chainrule lab</title>'
        cookie = f"{self._cookie}={self._session}; Path=/; HttpOnly; SameSite=Strict"
        return 200, {"content-type": "text/html; charset=utf-8", "set-cookie": cookie}, body.encode()

    # --- what is sent -------------------------------------------------------------------------------------------------

    async def _watch_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request whose body is counted while it arrives; nothing of one that is too large is kept."""
        most = self.most_upload if scope["path"] == UPLOAD else MOST_BODY
        received, begun, ended = 0, False, False

        async def refuse(reason: str) -> None:
            nonlocal ended
            ended = True
            refused = Refused(413, f"{reason}; {most / 2**20:.0f} MB at most")
            self._log(scope, refused)
            if scope["path"] == UPLOAD:
                await _discard(receive)
            if not begun:
                await _answer(send, refused)

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > most and not ended:
                await refuse("too much")
            return {"type": "http.disconnect"} if ended else message

        async def noted(message: Message) -> None:
            nonlocal begun
            if not ended:
                begun = True
                await send(message)

        announced = _headers(scope).get("content-length", ["0"])[0]
        if not announced.isdigit() or int(announced) > most:
            await refuse(f"{int(announced) / 2**20:,.0f} MB" if announced.isdigit() else "a length that is no number")
            return
        try:
            await self.application(scope, counted, _Protecting(noted))
        except Exception:
            if not ended:  # else it is only that the request went away
                raise

    async def _watch_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        closed = False

        async def limited() -> Message:
            """Messages of no more than the limit.  The server closes for larger ones while they arrive, and says so."""
            nonlocal closed
            message = await receive()
            size = len(message.get("bytes") or b"") or len((message.get("text") or "").encode())
            if message.get("code") == TOO_BIG or size > MOST_FRAME:
                self._log(scope, Refused(413, f"a WebSocket message of more than {MOST_FRAME / 2**20:.0f} MB"))
                if message["type"] != "websocket.disconnect" and not closed:
                    closed = True
                    await _close(send, TOO_BIG)
                return {"type": "websocket.disconnect", "code": TOO_BIG}
            return message

        await self.application(scope, limited, send)

    @staticmethod
    def _log(scope: Scope, refused: Refused) -> None:
        """One line, without the query, which may hold a token, and with what was sent made harmless."""
        client = scope.get("client") or ("?", 0)
        method = scope.get("method", "WebSocket")
        log.warning("refused %s %.200r from %s: %.300s", method, scope["path"], client[0], refused.reason)


class _Protecting:
    """Sends responses with the headers that tell a browser what this page may do."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.start: Message | None = None
        self.body: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(name.lower(), value) for name, value in message["headers"]]
            self.start = {**message, "headers": headers}
            if not _value(headers, b"content-type").startswith(b"text/html"):
                await self._begin(())
            return
        if self.start is None:
            await self.send(message)
            return
        # A page is held back until it is whole, because its policy names the scripts that it has.
        self.body.append(message.get("body", b""))
        if not message.get("more_body", False):
            whole = b"".join(self.body)
            await self._begin(inline_scripts(whole))
            await self.send({"type": "http.response.body", "body": whole})

    async def _begin(self, scripts: Iterable[str]) -> None:
        assert self.start is not None
        headers = {name.encode(): value.encode() for name, value in protection(scripts).items()}
        kept = [pair for pair in self.start["headers"] if pair[0] not in headers]
        start, self.start = {**self.start, "headers": [*kept, *headers.items()]}, None
        await self.send(start)


def protection(scripts: Iterable[str] = ()) -> dict[str, str]:
    """The headers of every response.  ``scripts``: the digests of those that stand in the page itself.

    The library compiles its templates in the browser, hence 'unsafe-eval', and sets styles on elements.
    """
    allowed = " ".join(f"'sha256-{digest}'" for digest in scripts)
    policy = {
        "default-src": "'none'",
        "script-src": f"'self' 'unsafe-eval' {allowed}".strip(),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    }


def inline_scripts(page: bytes) -> tuple[str, ...]:
    """The digests of the scripts whose text stands in a page (Content Security Policy Level 3, §6.7.3.3)."""
    texts = (text for attributes, text in _SCRIPT.findall(page) if b"src=" not in attributes)
    return tuple(b64encode(hashlib.sha256(text).digest()).decode() for text in texts)


def _headers(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _only(headers: dict[str, list[str]], name: str) -> str:
    """The value of a header that must be there once."""
    values = headers.get(name, [])
    if len(values) != 1:
        raise Refused(400, f"{len(values)} headers {name!r}")
    return values[0].lower()


def _value(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes:
    return next((value for key, value in headers if key == name), b"")


def _refuse_path(scope: Scope) -> None:
    """Raise Refused for a path that leads out of a folder, written plainly or encoded."""
    raw: bytes = scope.get("raw_path") or b""
    if _OUT.search(scope["path"]) or _ENCODED.search(raw.partition(b"?")[0]) or "//" in scope["path"]:
        raise Refused(400, "a path that leads elsewhere")


async def _discard(receive: Receive) -> None:
    """Read what is still being sent and keep nothing of it: browsers do not listen before they have sent it all."""
    received = 0
    while received < MOST_DISCARDED:
        message = await receive()
        received += len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return


async def _answer(send: Send, refused: Refused) -> None:
    headers = {"content-type": "text/plain; charset=utf-8", "connection": "close"}
    await _send(send, refused.status, headers, f"refused: {refused.reason}\n".encode())


async def _send(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    made = {**protection(), "cache-control": "no-store", "content-length": str(len(body)), **headers}
    pairs = [(name.encode(), value.encode()) for name, value in made.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


async def _close(send: Send, code: int) -> None:
    await send({"type": "websocket.close", "code": code})
