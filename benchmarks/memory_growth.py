"""The memory of a process that compiles 10,000 different modules, one after the other.

``python -m benchmarks.memory_growth [COUNT]`` prints the resident memory as it goes, without the cache on disk and
then from it.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
import time

from chainrule.backends.native import cache, jit
from chainrule.backends.native.target import host


def resident() -> float:
    """Megabytes of memory that this process has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def text(number: int) -> str:
    table = ", ".join(f"i64 {number + n}" for n in range(64))
    return f"""
@table = internal constant [64 x i64] [{table}], align 64
declare ptr @memset(ptr, i32, i64)

define i64 @f(i64 %x) nounwind {{
  %memory = alloca i64, i64 64, align 64
  %m = call ptr @memset(ptr %memory, i32 0, i64 512)
  %p = getelementptr i64, ptr @table, i64 %x
  %y = load i64, ptr %p
  ret i64 %y
}}
"""


def compile_all(count: int) -> None:
    start = time.perf_counter()
    for number in range(count):
        code = jit.library(text(number), host())
        assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(code.address("f"))(3) == number + 3
        if number + 1 in (count // 20, count // 2, count):
            each = (time.perf_counter() - start) / (number + 1) * 1e3
            print(f"{number + 1:6} modules: {resident():7.1f} MB, {each:.2f} ms each")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    os.environ[cache.FOLDER_VARIABLE] = "off"
    print("compiled:")
    compile_all(count)
    with tempfile.TemporaryDirectory() as folder:
        os.environ[cache.FOLDER_VARIABLE] = folder
        print("compiled and stored:")
        compile_all(count)
        print("loaded:")
        compile_all(count)


if __name__ == "__main__":
    main()
