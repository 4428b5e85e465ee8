"""Loading code: addresses, calls between libraries, unloading, forks."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import threading
import weakref
from collections.abc import Callable

import pytest

from chainrule.backends.native import jit
from chainrule.backends.native.jit import Library, define_symbol, emit_object, library, native_available
from chainrule.backends.native.target import foreign, host

Function = Callable[[int], int]


def adds(number: int) -> str:
    return f"""
define internal i64 @inner(i64 %x) nounwind {{
  %y = add i64 %x, {number}
  ret i64 %y
}}

define external i64 @f(i64 %x) nounwind {{
  %y = call i64 @inner(i64 %x)
  ret i64 %y
}}
"""


def function(code: Library, name: str = "f") -> Function:
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(code.address(name))


def load(number: int) -> Library:
    return library(adds(number), host())


def test_external_functions_have_addresses() -> None:
    code = load(1)
    assert function(code)(41) == 42
    with pytest.raises(KeyError):
        code.address("inner")


def test_native_code_is_available_here() -> None:
    assert native_available() is None


def test_equal_text_is_one_library() -> None:
    assert load(2) is load(2)
    assert load(2) is not load(3)


def test_data_far_symbols_and_the_c_library() -> None:
    # A large table, a variable, memset from the C library, a function that is wherever ctypes puts it.
    twice = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(lambda x: 2 * x)
    address = ctypes.cast(twice, ctypes.c_void_p).value
    assert address is not None
    define_symbol("twice", address, twice)
    text = """
@table = internal constant [3 x i64] [i64 5, i64 6, i64 7], align 64
@memory = internal global [100000 x i64] zeroinitializer, align 64
declare i64 @twice(i64)
declare ptr @memset(ptr, i32, i64)
define external i64 @f(i64 %x) nounwind {
  %a = call ptr @memset(ptr @memory, i32 1, i64 800000)
  %q = getelementptr i64, ptr @memory, i64 99999
  %m = load i64, ptr %q
  %p = getelementptr i64, ptr @table, i64 %x
  %v = load i64, ptr %p
  %w = call i64 @twice(i64 %v)
  %s = add i64 %w, %m
  ret i64 %s
}
"""
    assert function(library(text, host()))(2) == 14 + 0x0101010101010101


def test_calls_between_libraries_keep_the_one_called() -> None:
    called = load(100)
    define_symbol("plus", called.address("f"), called)
    text = """
declare i64 @plus(i64)
define external i64 @g(i64 %x) nounwind {
  %y = call i64 @plus(i64 %x)
  ret i64 %y
}
"""
    first = library(text, host())
    assert library(text, host()) is first
    other = load(200)
    define_symbol("plus", other.address("f"), other)
    second = library(text, host())
    del called, other
    gc.collect()
    assert function(first, "g")(1) == 101
    assert function(second, "g")(1) == 201


def test_unknown_symbols_and_wrong_text_are_errors() -> None:
    with pytest.raises(RuntimeError):
        library(
            "declare void @nobody_has_this()\ndefine void @f() {\n call void @nobody_has_this()\n ret void\n}", host()
        )
    with pytest.raises(RuntimeError, match="parsing"):
        library("define void @f() {", host())


def test_code_is_unloaded_when_nothing_uses_it() -> None:
    alive = weakref.ref(load(300))
    assert alive() is not None
    for number in range(301, 301 + jit.RECENT):
        load(number)
    gc.collect()
    assert alive() is None


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads the memory of the process from /proc")
def test_memory_does_not_grow_with_compilations() -> None:
    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def compile_many(first: int) -> None:
        for number in range(first, first + 150):
            assert function(load(number))(1) == number + 1

    compile_many(10_000)
    before = resident()
    compile_many(20_000)
    # A shared LLVM context or LLJIT would keep 10 KB or more of each.
    assert resident() - before < 150 * 5_000


def test_objects_for_other_machines() -> None:
    for name, machine in (("aarch64", 183), ("x86-64-v2", 62)):
        code = emit_object(adds(1), foreign(name))
        assert code[:4] == b"\x7fELF" and int.from_bytes(code[18:20], "little") == machine


def test_threads_compile_at_the_same_time() -> None:
    results: dict[int, int] = {}

    def work(first: int) -> None:
        for number in range(first, first + 10):
            results[number] = function(load(number))(0)

    threads = [threading.Thread(target=work, args=(1000 + 5 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: number for number in range(1000, 1025)}


def _child(first: int) -> int:
    return function(load(400))(0) + function(load(first))(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_children_compile_while_a_thread_of_the_parent_does() -> None:
    load(400)
    stop = threading.Event()

    def busy() -> None:
        number = 50_000
        while not stop.is_set():
            load(number)
            number += 1

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        for turn in range(5):
            with multiprocessing.get_context("fork").Pool(2) as pool:
                found = pool.map_async(_child, [500 + turn, 600 + turn]).get(timeout=30)
            assert found == [900 + turn, 1000 + turn]
    finally:
        stop.set()
        thread.join()
