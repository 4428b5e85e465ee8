"""The server of the lab: the page, uploads, and the guard before both."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from chainrule.errors import ChainruleError
from chainrule.lab.dropped import MOST_FILES, Dropped
from chainrule.lab.registry import Runs
from chainrule.lab.security import MOST_FRAME, TOKEN, UPLOAD, Guard, log
from chainrule.lab.sets import MOST_BYTES, Sets, remove_left_behind

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request

PORT = 8080
LOOPBACK = "127.0.0.1"
SECONDS_BETWEEN_CLEANING = 60.0
OVERHEAD = 2**20  # of a form around its files


def serve(host: str = LOOPBACK, port: int | None = None, *, open_browser: bool = True) -> None:
    """Serve the lab until Ctrl-C.

    ``host``: the address to listen on; any but the machine's own (127.0.0.1, ::1, localhost) lets other machines in,
    where they have the link, and is warned of.  ``port``: by default 8080, or the next one that is free.
    Raises ChainruleError where there is no such address or the port is taken.
    """
    listening = listen(host, port)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if not is_loopback(host):
        log.warning(
            "other machines can reach this server at %s; whoever has the link below can use it, and nothing that is "
            "sent is encrypted",
            host,
        )

    def announce(link: str) -> None:
        print(f"the lab is at {link}\n(Ctrl-C ends it)", flush=True)
        if open_browser:
            threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()

    _end_cleanly()
    remove_left_behind()
    sets, runs = Sets(), Runs()
    try:
        with suppress(KeyboardInterrupt):
            answer(sets, runs, listening, host, announce)
    finally:
        runs.close()
        sets.close()


def _end_cleanly() -> None:
    """Have what was dropped removed also where the process is asked to end, or its terminal is closed."""
    if threading.current_thread() is not threading.main_thread():
        return
    signal.signal(signal.SIGTERM, _exit)
    # Where it is ignored the user said so (nohup): the lab is to outlive the terminal.
    if os.name == "posix" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda number, frame: signal.raise_signal(signal.SIGTERM))


def _exit(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def answer(sets: Sets, runs: Runs, listening: socket.socket, host: str, announce: Callable[[str], None]) -> None:
    """Answer requests at a socket, about these sets and runs, until the process is asked to end.

    ``announce`` is told the link with the token, once there is an answer to it.
    """
    # The library keeps what it stores where it is told, and otherwise beside the user's files.
    os.environ["NICEGUI_STORAGE_PATH"] = str(sets.folder / "stored")
    os.environ["MATPLOTLIB"] = "false"  # that it does not load it
    import uvicorn

    port = int(listening.getsockname()[1])
    guard = Guard(
        _application(sets, runs),
        hosts=names_of(host, port),
        port=port,
        any_address=not is_loopback(host),
        most_upload=MOST_BYTES + OVERHEAD,
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            announce(f"http://{_written(host)}:{port}/?{TOKEN}={guard.token}")

    config = uvicorn.Config(
        guard,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws_max_size=MOST_FRAME,
        timeout_graceful_shutdown=2,
        lifespan="on",
    )
    Server(config).run(sockets=[listening])


def listen(host: str, port: int | None) -> socket.socket:
    """A socket bound to the address.  Raises ChainruleError where that cannot be."""
    wanted = range(PORT, PORT + 20) if port is None else (port,)
    try:
        family, _, _, _, place = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise ChainruleError(f"there is no address {host!r} on this machine") from None
    for number in wanted:
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            if os.name == "posix":
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((place[0], number, *place[2:]))
            made.listen(64)
            return made
        except OSError as error:
            made.close()
            if error.errno != errno.EADDRINUSE:
                reason = (error.strerror or str(error)).lower()
                raise ChainruleError(f"the lab cannot listen on {host}, port {number}: {reason}") from None
        except OverflowError:
            raise ChainruleError(f"a port is a number from 1 to 65,535, not {number}") from None
    last = f"port {port} is" if port is not None else f"ports {PORT} to {PORT + 19} are"
    raise ChainruleError(f"{last} in use; choose another with --port")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def names_of(host: str, port: int) -> set[str]:
    """What a request may call this server, with the port."""
    names = {"127.0.0.1", "localhost", "[::1]", _written(host).lower()}
    if not is_loopback(host):
        names.add(socket.gethostname().lower())
    return {f"{name}:{port}" for name in names}


def _written(host: str) -> str:
    """The address as it stands in a link."""
    if host in ("0.0.0.0", "::"):
        return LOOPBACK
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _application(sets: Sets, runs: Runs) -> Any:
    """The page and the uploads, not guarded."""
    from fastapi import FastAPI
    from nicegui import ui
    from starlette.responses import JSONResponse

    from chainrule.lab.page import Page
    from chainrule.lab.place import BOOT, head

    @ui.page("/", title="chainrule lab", dark=None, language="en-US")
    def index() -> None:
        ui.add_head_html(head())
        ui.add_body_html(BOOT)
        Page(sets, runs, dict(ui.context.client.request.query_params)).build()

    @asynccontextmanager
    async def cleaning(application: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(_clean(runs))
        yield
        task.cancel()

    application = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=cleaning)

    async def upload(request: Request) -> JSONResponse:
        return JSONResponse(await _take_in(sets, request))

    application.add_route(UPLOAD, upload, methods=["POST"])
    ui.run_with(
        application,
        title="chainrule lab",
        dark=None,
        tailwind=False,
        gzip_middleware_factory=None,  # nothing goes over a network
        reconnect_timeout=10.0,  # a page that is gone for longer is loaded anew, from its address
        show_welcome_message=False,
    )
    return application


async def _clean(runs: Runs) -> None:
    """End runs that nobody uses, now and then."""
    while True:
        await asyncio.sleep(SECONDS_BETWEEN_CLEANING)
        await asyncio.to_thread(runs.end_idle)


async def _take_in(sets: Sets, request: Request) -> dict[str, str]:
    """Files that were dropped: the key of the set that they are, or what is wrong with them."""
    form = await request.form(max_files=MOST_FILES, max_fields=0)
    try:
        return {"key": await asyncio.to_thread(_add, sets, form)}
    except ChainruleError as error:
        log.warning("refused what was dropped: %.300s", error)
        return {"error": str(error)}
    finally:
        await form.close()


def _add(sets: Sets, form: FormData) -> str:
    """Put the files of a form where the sets can read them."""
    with tempfile.TemporaryDirectory(dir=sets.folder) as place:
        dropped = []
        for number, (_, file) in enumerate(form.multi_items()):
            if isinstance(file, str) or file.filename is None:
                raise ChainruleError("files are wanted")
            path = Path(place, str(number))
            with path.open("wb") as target:
                shutil.copyfileobj(file.file, target)
            dropped.append(Dropped(unquote(file.filename), path))
        return sets.add(dropped)
