"""The machine that code is made for: its vectors, registers and caches."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

from chainrule.errors import ChainruleError

VARIABLE = "CHAINRULE_TARGET"


@dataclass(frozen=True)
class Target:
    """``width``: bytes of a vector register, of which there are ``registers``; ``fma``: a·b + c in one instruction.

    ``cores``: those of the machine, whatever a run may use of them: it decides how work is divided, so that the
    results do not depend on the number of threads.
    """

    name: str
    triple: str
    cpu: str
    features: str
    width: int
    registers: int
    fma: bool
    cores: int

    def lanes(self, element: str) -> int:
        """Lanes of a vector of ``float``, ``double`` or ``i64``."""
        return self.width // (4 if element in ("float", "i32") else 8)


# What a target may be restricted to: the features that it must have, and those that it then does without.
_X86 = {
    "avx512": (("avx512f", "avx512vl", "avx512dq", "avx512bw"), (), 64, 32, True),
    "avx2": (("avx2", "fma"), ("avx512f",), 32, 16, True),
    "portable": ((), ("avx", "avx2", "fma", "avx512f"), 16, 16, False),
}
NAMES = (*_X86, "neon")


@cache
def host() -> Target:
    """This machine, or what ``CHAINRULE_TARGET`` restricts it to: avx512, avx2, portable."""
    from llvmlite import binding

    triple = binding.get_process_triple()
    found = dict(binding.get_host_cpu_features())
    wanted = os.environ.get(VARIABLE)
    if wanted and wanted not in NAMES:
        raise ChainruleError(f"{VARIABLE} is {wanted}; it may be {', '.join(NAMES)}")
    if not triple.startswith(("x86_64", "i386", "i686")):
        return Target("neon", triple, binding.get_host_cpu_name(), "", 16, 32, True, os.cpu_count() or 1)
    for name, (needed, without, width, registers, fma) in _X86.items():
        if wanted in (None, "", name) and all(found.get(feature) for feature in needed):
            features = [f"{'+' if on else '-'}{feature}" for feature, on in found.items()]
            features += [f"-{feature}" for feature in without]
            if name == "avx512":
                features.append("-prefer-256-bit")
            cpu = binding.get_host_cpu_name()
            return Target(name, triple, cpu, ",".join(features), width, registers, fma, os.cpu_count() or 1)
    raise ChainruleError(f"{VARIABLE} is {wanted}, which this machine has not")


def foreign(name: str) -> Target:
    """A target other than this machine, to emit objects for: ``aarch64`` or ``x86-64-v2``."""
    if name == "aarch64":
        return Target("neon", "aarch64-unknown-linux-gnu", "generic", "+neon", 16, 32, True, 4)
    if name == "x86-64-v2":
        return Target("portable", "x86_64-unknown-linux-gnu", "x86-64-v2", "", 16, 16, False, 4)
    raise ChainruleError(f"no target {name}; aarch64 or x86-64-v2")
