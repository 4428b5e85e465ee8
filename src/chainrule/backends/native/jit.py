"""LLVM text to machine code in this process."""

from __future__ import annotations

from functools import cache
from typing import Any

from llvmlite import binding

from chainrule.backends.native.target import Target


@cache
def _machine(target: Target, level: int) -> Any:
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    made = binding.Target.from_triple(target.triple)
    return made.create_target_machine(cpu=target.cpu, features=target.features, opt=level, reloc="pic", jit=False)


def emit_object(text: str, target: Target, level: int = 2) -> bytes:
    """The object file of a module of LLVM text.  No passes over the text run: it is in its final form."""
    module = binding.parse_assembly(text)
    module.triple = target.triple
    machine = _machine(target, level)
    module.data_layout = str(machine.target_data)
    module.verify()
    return bytes(machine.emit_object(module))


class Library:
    """Code in memory: ``address`` of each of its external functions."""

    def __init__(self, text: str, target: Target, level: int = 2) -> None:
        self._machine = _machine(target, level)
        module = binding.parse_assembly(text)
        module.verify()
        self._engine = binding.create_mcjit_compiler(module, self._machine)
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        return int(self._engine.get_function_address(name))
