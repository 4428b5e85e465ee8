"""The other end of a worker: start it, give it commands, read its replies."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.speed.peers import Peer, Settings
from benchmarks.speed.workloads import Workload

ROOT = Path(__file__).parents[2]
SECONDS_TO_WAIT = 600.0  # a deep network takes long to compile on a machine that does other things


class Failed(Exception):
    """The worker could not do it; says why."""


class Process:
    """A worker.  ``caches``: the folder in which compilers keep what they have compiled; else an empty one."""

    def __init__(self, peer: Peer, workload: Workload, settings: Settings, caches: Path | None = None) -> None:
        self.settings = settings
        self._folder = tempfile.TemporaryDirectory()
        folder = str(caches or self._folder.name)
        threads = str(settings["threads"])
        environment = {
            **os.environ,
            **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads),
            **dict.fromkeys(("CHAINRULE_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"), folder),
            "JAX_PLATFORMS": "cpu",
            **({"CHAINRULE_BACKEND": settings["backend"]} if "backend" in settings else {}),
        }
        job = {"module": peer.module, "workload": workload.fields(), "settings": settings}
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.speed.worker", json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            env=environment,
        )
        self._answers = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def reply(self) -> dict[str, Any]:
        """The next reply.  Raises Failed if there is none in time, or if it is an error."""
        out = self._worker.stdout
        assert out is not None
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            while b"\n" not in self._answers:
                if not selector.select(SECONDS_TO_WAIT):
                    raise Failed(f"no answer within {SECONDS_TO_WAIT:.0f} s")
                read = os.read(out.fileno(), 65536)
                if not read:
                    raise Failed(f"the process ended with {self._worker.wait()}")
                self._answers += read
        line, _, self._answers = self._answers.partition(b"\n")
        values: dict[str, Any] = json.loads(line)
        if "error" in values:
            raise Failed(values["error"])
        return values

    def ask(self, command: str) -> dict[str, Any]:
        """The reply to a command."""
        given = self._worker.stdin
        assert given is not None
        try:
            given.write(f"{command}\n".encode())
            given.flush()
        except BrokenPipeError:
            raise Failed("the process has ended") from None
        return self.reply()

    def run(self, chunks: int) -> float:
        """The seconds of this many chunks."""
        return float(self.ask(f"run {chunks}")["seconds"])

    def close(self) -> None:
        if self._worker.poll() is None:
            self._worker.kill()
        self._worker.wait()
        for pipe in (self._worker.stdin, self._worker.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._folder.cleanup()
