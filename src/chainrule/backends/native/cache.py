"""Compiled objects on disk, so that what was compiled once is loaded in a millisecond ever after.

One file an object, named by the key of what it was compiled from.  It begins with a digest of the key and the object,
so that a file that was truncated or changed is noticed, removed and written anew.  Files are written beside their
place and moved there in one step; readers and writers in other processes need no lock.

To load an object is to execute it: the folder belongs to the user alone, and any other is not used.  Where there is
no folder to write to, everything is compiled anew.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import stat
import sys
import tempfile
import time
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from chainrule.errors import ChainruleError

if TYPE_CHECKING:
    from chainrule.backends.native.target import Target

FOLDER_VARIABLE = "CHAINRULE_CACHE_DIR"
SIZE_VARIABLE = "CHAINRULE_CACHE_SIZE"
MEGABYTES = 256

# What the objects of one format may rely on: change it when the code around compiled functions changes.
FORMAT = 1

_MAGIC = b"chainrule object\n"
_HEAD = len(_MAGIC) + hashlib.sha256().digest_size
_SUFFIX = ".object"
_UNFINISHED = ".unfinished"
_ABANDONED = 3600.0  # seconds after which an unfinished file is nobody's

_log = logging.getLogger("chainrule")


def key(text: str, target: Target, level: int) -> str:
    """What the object compiled from this text depends on, as the name of its file."""
    digest = hashlib.sha256()
    for part in (*_versions(), target.triple, target.cpu, target.features, str(level), text):
        digest.update(f"{len(part)}:".encode())
        digest.update(part.encode())
    return digest.hexdigest()


@cache
def _versions() -> tuple[str, ...]:
    import llvmlite
    from llvmlite import binding

    return str(FORMAT), llvmlite.__version__, ".".join(map(str, binding.llvm_version_info))


def load(key: str) -> bytes | None:
    """The object stored under this key, or None.  A file that is damaged is removed."""
    place = folder()
    if place is None:
        return None
    path = place / (key + _SUFFIX)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        _log.debug("cannot read %s: %s", path, error)
        return None
    code = data[_HEAD:]
    if data[:_HEAD] != _head(key, code):
        _log.debug("%s is damaged", path)
        _remove(path)
        return None
    with suppress(OSError):
        os.utime(path)  # the least recently used go first
    return code


def store(key: str, code: bytes) -> None:
    """Keep an object; where that is impossible nothing happens."""
    place = folder()
    if place is None:
        return
    path = place / (key + _SUFFIX)
    try:
        descriptor, unfinished = tempfile.mkstemp(_UNFINISHED, dir=place)
        try:
            with open(descriptor, "wb") as file:
                file.write(_head(key, code))
                file.write(code)
            if path.is_dir():
                _remove(path)
            os.replace(unfinished, path)
        except BaseException:
            _remove(Path(unfinished))
            raise
    except OSError as error:
        _log.debug("cannot write %s: %s", path, error)
        return
    _stock(place).add(_HEAD + len(code))


def _head(key: str, code: bytes) -> bytes:
    return _MAGIC + hashlib.sha256(key.encode() + code).digest()


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        _log.debug("cannot remove %s: %s", path, error)


# where


def folder() -> Path | None:
    """The folder of objects, made if need be, or None where there is to be none."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named is not None:
        if named.strip().lower() in ("", "0", "off"):
            return None
        return _made(Path(named).expanduser().absolute() / "native")
    try:
        return _made(_platform_folder() / "chainrule" / "native")
    except RuntimeError as error:  # no home
        _log.debug("no cache of compiled objects: %s", error)
        return None


def _platform_folder() -> Path:
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) if local else Path.home() / "AppData" / "Local"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    named = os.environ.get("XDG_CACHE_HOME", "")
    return Path(named) if os.path.isabs(named) else Path.home() / ".cache"


@cache
def _made(place: Path) -> Path | None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir(mode=0o700, exist_ok=True)
        status = place.stat()
    except OSError as error:
        _log.debug("no cache of compiled objects: %s", error)
        return None
    if os.name == "posix":
        wrong = None
        if status.st_uid != os.geteuid():
            wrong = "belongs to another user"
        elif status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            wrong = "may be written by other users"
        if wrong is not None:
            warnings.warn(
                f"compiled code is not kept: {place} {wrong}, who could put code there; "
                f"remove it, or name another folder by {FOLDER_VARIABLE}",
                UserWarning,
                stacklevel=2,
            )
            return None
    return place


# how much


def limit() -> int:
    """The bytes that the objects may take: ``CHAINRULE_CACHE_SIZE`` megabytes."""
    named = os.environ.get(SIZE_VARIABLE) or str(MEGABYTES)
    try:
        size = float(named)
    except ValueError:
        size = -1.0
    if not 0 <= size < float("inf"):
        raise ChainruleError(f"{SIZE_VARIABLE} is {named}; it is a number of megabytes")
    return int(size * 2**20)


class _Stock:
    """About how many bytes are in a folder: counted at first, and again when they may be too many."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.bytes = float("inf")
        self.added = 0

    def add(self, size: int) -> None:
        self.bytes += size
        self.added += size
        # Other processes write too: count anew now and then.
        if self.bytes > limit() or self.added > limit() // 8:
            self.bytes = sweep(self.place)
            self.added = 0


@cache
def _stock(place: Path) -> _Stock:
    return _Stock(place)


def sweep(place: Path) -> int:
    """Remove the least recently used objects until the rest is less than the limit, with room for some more;
    the bytes that are left."""
    files = []
    try:
        with os.scandir(place) as entries:
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                if entry.name.endswith(_UNFINISHED) and status.st_mtime < time.time() - _ABANDONED:
                    _remove(Path(entry.path))
                elif entry.name.endswith(_SUFFIX):
                    files.append((status.st_mtime_ns, status.st_size, entry.path))
    except OSError as error:
        _log.debug("cannot list %s: %s", place, error)
    total = sum(size for _, size, _ in files)
    if total > limit():
        for _, size, path in sorted(files):
            _remove(Path(path))
            total -= size
            if total <= limit() * 3 // 4:
                break
    return total
