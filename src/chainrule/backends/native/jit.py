"""LLVM text to machine code in this process.

Each library has an LLJIT of its own, with JITLink as the linker.  That costs 0.4 ms more than a library in a shared
LLJIT, but a shared one keeps 10 KB of every library for ever; nothing is left of one that is closed.  JITLink places
the sections of an object beside each other and reaches symbols far away by stubs, so the small code model does.

Objects come from the cache on disk where they have been compiled before.  llvmlite is imported when first needed.
"""

from __future__ import annotations

import ctypes
import os
import re
import threading
import weakref
from collections import deque
from functools import cache
from typing import TYPE_CHECKING, Any

from chainrule.backends.native import cache as disk
from chainrule.errors import ChainruleError

if TYPE_CHECKING:
    from chainrule.backends.native.target import Target

# The level of code generation.  Above 0 it hardly matters, as the text is in its final form: the matrix products take
# 340 ms at 1, 2 and 3, and 40 unrolled loops 110, 129 and 130; their objects are equally long.  At 0 they are twice.
LEVEL = 2

# Libraries that nothing uses are kept while they are among the latest.
RECENT = 16

_EXTERNAL = re.compile(r"^define (?!internal |private )[^@\n]*@([\w.$]+)\(", re.MULTILINE)
_DECLARED = re.compile(r"^declare [^@\n]*@([\w.$]+)\(", re.MULTILINE)

# Held by whoever uses llvmlite here, and by a fork: the child gets no lock that a thread it does not have still holds.
_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@cache
def _machine(target: Target, level: int) -> Any:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    try:
        made = binding.Target.from_triple(target.triple)
    except RuntimeError:
        binding.initialize_all_targets()
        binding.initialize_all_asmprinters()
        made = binding.Target.from_triple(target.triple)
    # On Windows llvmlite's own choice makes ELF objects, the only ones that it can load there.
    model = "jitdefault" if os.name == "nt" else "small"
    return made.create_target_machine(
        cpu=target.cpu, features=target.features, opt=level, reloc="pic", codemodel=model, jit=False
    )


def emit_object(text: str, target: Target, level: int = LEVEL) -> bytes:
    """The object file of a module of LLVM text.  No passes over the text run: it is in its final form."""
    from llvmlite import binding

    # What LLVM makes of a module stays in its context: types, constants.  So each module has one, closed with it.
    with _lock, binding.create_context() as context, binding.parse_assembly(text, context) as module:
        machine = _machine(target, level)
        module.triple = machine.triple
        module.data_layout = str(machine.target_data)
        module.verify()
        return bytes(machine.emit_object(module))


# Names that later libraries may declare: their address, and what must live for it to stay valid.
_symbols: dict[str, tuple[int, object]] = {}


def define_symbol(name: str, address: int, owner: object = None) -> None:
    """Let libraries loaded from now on call ``name``, which they declare.

    ``owner`` (the library that the address is in) is kept as long as the name stands for it, and as long as a library
    uses it.
    """
    with _lock:
        _symbols[name] = (address, owner)


class Library:
    """Code in memory: ``address`` of each of its external functions.

    The code is unloaded when nothing refers to its library any more; who runs it keeps it.
    """

    def __init__(self, code: bytes, names: list[str], symbols: dict[str, tuple[int, object]], machine: Any) -> None:
        from llvmlite import binding

        builder = binding.JITLibraryBuilder().add_object_img(code).add_current_process()
        for name, (address, _) in symbols.items():
            builder.import_symbol(name, address)
        for name in names:
            builder.export_symbol(name)
        engine = binding.create_lljit_compiler(machine, use_jit_link=os.name != "nt")
        tracker = builder.link(engine, "library")
        self._addresses: dict[str, int] = {name: int(tracker[name]) for name in names}
        self._owners = [owner for _, owner in symbols.values()]
        # Not when the interpreter exits: threads may still run the code then.
        weakref.finalize(self, _unload, tracker, engine).atexit = False

    def address(self, name: str) -> int:
        """Raises KeyError where the library has no external function of that name."""
        return self._addresses[name]


def _unload(tracker: Any, engine: Any) -> None:
    tracker.close()
    engine.close()


_libraries: weakref.WeakValueDictionary[tuple[object, ...], Library] = weakref.WeakValueDictionary()
_recent: deque[Library] = deque(maxlen=RECENT)


def library(text: str, target: Target, level: int = LEVEL) -> Library:
    """The library of a module of LLVM text: the one that is loaded already, or from the cache on disk, or compiled.

    Functions that the text declares are those of ``define_symbol``, or the C library's.
    """
    key = disk.key(text, target, level)
    with _lock:
        symbols = {name: _symbols[name] for name in _DECLARED.findall(text) if name in _symbols}
        known = (key, *((name, address) for name, (address, _) in symbols.items()))
        found = _libraries.get(known)
        if found is None:
            code = disk.load(key)
            if code is None:
                code = emit_object(text, target, level)
                disk.store(key, code)
            found = Library(code, _EXTERNAL.findall(text), symbols, _machine(target, level))
            _libraries[known] = found
            _recent.append(found)
        return found


_TRIAL = """
define i64 @trial(i64 %x) nounwind {
  %y = mul i64 %x, %x
  ret i64 %y
}
"""


@cache
def native_available() -> str | None:
    """Why compiled code cannot be used here, or None: found by compiling and calling a small function.

    Raises ChainruleError where ``CHAINRULE_TARGET`` is wrong.
    """
    try:
        from llvmlite import binding

        from chainrule.backends.native.target import host
    except (ImportError, OSError) as error:
        return f"llvmlite cannot be loaded: {error}"
    triple = binding.get_process_triple()
    if not triple.startswith(("x86_64", "aarch64", "arm64")):
        return f"no code is made for {triple.partition('-')[0]} processors"
    try:
        binding.check_jit_execution()
        trial = library(_TRIAL, host())
        square = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(trial.address("trial"))
    except ChainruleError:
        raise
    except Exception as error:
        return f"compiled code cannot be loaded: {error}"
    return None if square(9) == 81 else "compiled code gives wrong results"
