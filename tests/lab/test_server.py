"""Where the lab listens, and what it says where it cannot."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.errors import ChainruleError
from chainrule.lab.server import PORT, listen, names_of
from lab.running import running


def test_a_free_port_is_found() -> None:
    with listen("127.0.0.1", None) as first, listen("127.0.0.1", None) as second:
        assert PORT <= first.getsockname()[1] < second.getsockname()[1] < PORT + 20
        assert first.getsockname()[0] == "127.0.0.1"


def test_a_port_that_is_taken() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ChainruleError, match=f"port {port} is in use; choose another"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("no such.host.invalid", None, "there is no address"),
        ("192.0.2.1", 0, "cannot listen on 192.0.2.1"),
        ("127.0.0.1", 70_000, "a port is a number"),
    ],
)
def test_what_cannot_be_listened_on(host: str, port: int | None, words: str) -> None:
    with pytest.raises(ChainruleError, match=words):
        listen(host, port)


def test_the_names_of_the_server() -> None:
    assert names_of("127.0.0.1", 8080) == {"127.0.0.1:8080", "localhost:8080", "[::1]:8080"}
    assert f"{socket.gethostname().lower()}:8080" in names_of("0.0.0.0", 8080)
    assert "[fe80::1]:9" in names_of("fe80::1", 9)


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_no_folder_stays_behind(tmp_path: Path) -> None:
    pytest.importorskip("nicegui")
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    left = [tmp_path / f"chainrule-lab-{process}-{n}" for n, process in enumerate((dead.pid, 10**30, os.getpid()))]
    for folder in left:
        (folder / "dropped-1").mkdir(parents=True)
    # Where the tests themselves were begun to outlast their terminal (nohup), the server would, too.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with running(tmp_path) as server:
        signal.signal(signal.SIGHUP, before)
        ours = tmp_path.glob(f"chainrule-lab-{server.process.pid}-*")
        assert set(tmp_path.glob("chainrule-lab-*")) == {*left[1:], *ours}
        server.process.send_signal(signal.SIGHUP)  # its terminal is closed
        server.process.wait(60)
    assert set(tmp_path.glob("chainrule-lab-*")) == set(left[1:])


def test_the_library_is_loaded_by_the_lab_alone() -> None:
    code = "import sys, chainrule.cli; print('nicegui' in sys.modules, 'sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"]


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    command = importlib.import_module("chainrule.cli.lab")  # the package has the function under the same name
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    with pytest.raises(ChainruleError, match=r"pip install 'chainrule\[lab\]'"):
        command.lab()
