"""The cache of compiled objects: what spoils it, what fills it, who may use it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chainrule.backends.native import cache
from chainrule.backends.native.target import host
from chainrule.errors import ChainruleError

posix = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path / "here"))
    monkeypatch.delenv(cache.SIZE_VARIABLE, raising=False)
    return tmp_path / "here" / "native"


def only_file(place: Path) -> Path:
    (file,) = place.iterdir()
    return file


def test_what_is_stored_is_loaded(place: Path) -> None:
    assert cache.load("a") is None
    cache.store("a", b"code")
    assert cache.load("a") == b"code"
    assert cache.load("b") is None
    cache.store("a", b"newer")
    assert cache.load("a") == b"newer"
    assert len(list(place.iterdir())) == 1


def test_the_key_depends_on_everything() -> None:
    target = host()
    keys = {
        cache.key("text", target, 2),
        cache.key("other", target, 2),
        cache.key("text", target, 1),
        cache.key("text", replace(target, cpu="another"), 2),
        cache.key("text", replace(target, features=target.features + ",-avx"), 2),
        cache.key("text", replace(target, triple="aarch64-unknown-linux-gnu"), 2),
    }
    assert len(keys) == 6
    assert cache.key("text", replace(target, cores=target.cores + 1), 2) in keys


def empty(file: Path) -> None:
    file.write_bytes(b"")


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def truncate_head(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:20])


def flip_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-2] ^= 4
    file.write_bytes(data)


def lengthen(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0")


def make_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()
    (file / "something").write_text("else")


@pytest.mark.parametrize("damage", [empty, truncate, truncate_head, flip_a_bit, lengthen, make_folder])
def test_damaged_files_are_rebuilt(place: Path, damage: Callable[[Path], None]) -> None:
    cache.store("a", b"some code")
    damage(only_file(place))
    assert cache.load("a") is None
    cache.store("a", b"some code")
    assert cache.load("a") == b"some code"
    assert len(list(place.iterdir())) == 1


def test_an_object_under_another_name_is_not_taken(place: Path) -> None:
    cache.store("a", b"code")
    file = only_file(place)
    file.rename(file.with_stem("b"))
    assert cache.load("b") is None
    assert list(place.iterdir()) == []


def test_the_least_recently_used_go_first(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.SIZE_VARIABLE, "0.1")
    for n in range(8):
        cache.store(f"key{n}", bytes(10_000))
        os.utime(place / f"key{n}.object", (1000 + n, 1000 + n))
    assert cache.load("key1") is not None  # used: not the oldest any more
    for n in range(8, 11):
        cache.store(f"key{n}", bytes(10_000))
    left = {path.stem for path in place.iterdir()}
    assert sum(path.stat().st_size for path in place.iterdir()) <= 0.1 * 2**20
    assert {"key1", "key9", "key10"} <= left
    assert not {"key0", "key2"} & left


def test_unfinished_files_of_lost_processes_go(place: Path) -> None:
    cache.store("a", b"code")
    for name, age in (("old.unfinished", 2 * 3600), ("new.unfinished", 0)):
        (place / name).write_bytes(b"half")
        then = (place / name).stat().st_mtime - age
        os.utime(place / name, (then, then))
    cache.sweep(place)
    assert {path.name for path in place.iterdir()} == {"a.object", "new.unfinished"}


@pytest.mark.parametrize("value", ["", "0", "off", "OFF"])
def test_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.FOLDER_VARIABLE, value)
    assert cache.folder() is None
    cache.store("a", b"code")
    assert cache.load("a") is None


@pytest.mark.parametrize("value", ["much", "-1", "nan", "inf"])
def test_a_wrong_size_is_said(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.SIZE_VARIABLE, value)
    with pytest.raises(ChainruleError, match=cache.SIZE_VARIABLE):
        cache.limit()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="where XDG says")
def test_the_folder_of_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cache.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache.folder() == tmp_path / "cache" / "chainrule" / "native"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert cache.folder() == tmp_path / "home" / ".cache" / "chainrule" / "native"


@posix
def test_the_folder_is_private(place: Path) -> None:
    cache.store("a", b"code")
    assert place.stat().st_mode & 0o777 == 0o700
    assert only_file(place).stat().st_mode & 0o077 == 0


@posix
def test_a_folder_that_others_may_write_is_refused_with_one_warning(place: Path) -> None:
    place.mkdir(parents=True)
    place.chmod(0o777)
    with pytest.warns(UserWarning, match="other users"):
        cache.store("a", b"code")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.load("a") is None
    assert list(place.iterdir()) == []


@posix
def test_a_folder_of_another_user_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.mkdir(parents=True, mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: place.stat().st_uid + 1)
    with pytest.warns(UserWarning, match="another user"):
        assert cache.folder() is None


def test_without_a_folder_to_write_nothing_is_kept_and_nothing_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path / "file" / "below"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.store("a", b"code")
        assert cache.load("a") is None


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in (cache.FOLDER_VARIABLE, "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert cache.folder() is None


def test_a_full_disk_leaves_nothing_behind(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.store("a", b"code")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    cache.store("b", b"code")
    assert [path.name for path in place.iterdir()] == ["a.object"]


_PROCESS = """
import ctypes
from chainrule.backends.native import jit
from chainrule.backends.native.target import host
for n in range(10):
    text = f"define i64 @f(i64 %x) nounwind {{\\n  %y = add i64 %x, {n}\\n  ret i64 %y\\n}}\\n"
    code = jit.library(text, host())
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(code.address("f"))(1) == n + 1
"""


def test_many_processes_at_once(place: Path) -> None:
    def run_together() -> None:
        processes = [subprocess.Popen([sys.executable, "-c", _PROCESS]) for _ in range(8)]
        assert [process.wait(timeout=60) for process in processes] == [0] * 8

    run_together()
    files = sorted(place.glob("*.object"))
    whole = [file.read_bytes() for file in files]
    assert len(files) == len(list(place.iterdir())) == 10
    for file, damage in zip(files, [empty, truncate, truncate_head, flip_a_bit, make_folder] * 2, strict=True):
        damage(file)
    run_together()
    assert [file.read_bytes() for file in files] == whole
    assert len(list(place.iterdir())) == 10


def _remove_again_and_again(place: Path, turns: int) -> None:
    for _ in range(turns):
        for file in place.iterdir():
            file.unlink(missing_ok=True)


def test_deletion_by_another_process_is_a_miss(place: Path) -> None:
    cache.store("a", b"code")
    process = multiprocessing.get_context("spawn").Process(target=_remove_again_and_again, args=(place, 2000))
    process.start()
    while process.is_alive():
        cache.store("a", b"code")
        assert cache.load("a") in (b"code", None)
    process.join()
    assert process.exitcode == 0


def test_objects_come_from_the_cache(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chainrule.backends.native import jit

    text = "define i64 @f(i64 %x) nounwind {\n  ret i64 77\n}\n"
    jit.library(text, host())
    jit._recent.clear()

    def refuse(*_: object) -> bytes:
        raise AssertionError("compiled again")

    monkeypatch.setattr(jit, "emit_object", refuse)
    code = jit.library(text, host())
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(code.address("f"))(1) == 77
