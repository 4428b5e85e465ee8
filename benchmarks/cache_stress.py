"""50 processes at once use one cache of compiled code: empty, then damaged, then too small.

``python -m benchmarks.cache_stress`` takes two minutes on two cores and prints how long each took; a process that fails
ends it.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from chainrule.backends.native import cache

PROCESSES = 50
OBJECTS = 20

_PROCESS = f"""
import ctypes
from chainrule.backends.native import jit
from chainrule.backends.native.target import host
for n in range({OBJECTS}):
    text = f"define i64 @f(i64 %x) nounwind {{{{\\n  %y = add i64 %x, {{n}}\\n  ret i64 %y\\n}}}}\\n"
    code = jit.library(text, host())
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(code.address("f"))(1) == n + 1
"""


def together(folder: Path, **settings: str) -> float:
    """Seconds until all processes have ended, each with success."""
    environment = {**os.environ, cache.FOLDER_VARIABLE: str(folder), **settings}
    start = time.perf_counter()
    processes = [subprocess.Popen([sys.executable, "-c", _PROCESS], env=environment) for _ in range(PROCESSES)]
    failed = sum(process.wait() != 0 for process in processes)
    if failed:
        raise SystemExit(f"{failed} of {PROCESSES} processes failed")
    return time.perf_counter() - start


def damage(file: Path) -> None:
    """Cut, empty or change a file, or put a folder in its place."""
    data = bytearray(file.read_bytes())
    match random.randrange(4):
        case 0:
            file.write_bytes(data[: random.randrange(len(data))])
        case 1:
            file.write_bytes(b"")
        case 2:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
            file.write_bytes(data)
        case _:
            file.unlink()
            file.mkdir()


def main() -> None:
    random.seed(0)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary) / "native"
        print(f"empty:     {together(Path(temporary)):5.1f} s")
        files = {file.name: file.read_bytes() for file in place.iterdir()}
        assert len(files) == OBJECTS
        for file in list(place.iterdir()):
            damage(file)
        print(f"damaged:   {together(Path(temporary)):5.1f} s")
        assert {file.name: file.read_bytes() for file in place.iterdir()} == files
        print(f"whole:     {together(Path(temporary)):5.1f} s")
        size = sum(map(len, files.values())) / 2
        print(f"too small: {together(Path(temporary), **{cache.SIZE_VARIABLE: str(size / 2**20)}):5.1f} s")


if __name__ == "__main__":
    main()
