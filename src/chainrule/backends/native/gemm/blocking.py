"""Sizes of tiles and blocks, from the registers of the target and the sizes of usual caches.

The names are those of BLIS (Van Zee and van de Geijn, "BLIS: A Framework for Rapidly Instantiating BLAS
Functionality", ACM TOMS 41(3), 2015; the analysis is Goto and van de Geijn, "Anatomy of High-Performance Matrix
Multiplication", ACM TOMS 34(3), 2008): a micro-tile of ``mr`` rows by ``nr`` columns of C stays in registers while k
runs over a block of ``kc``; a panel of B, kc × nr, stays in the first cache, and a block of A, mc × kc, in the second.
"""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.backends.native.ir import bytes_of
from chainrule.backends.native.target import Target

PANEL_BYTES = 16 << 10
BLOCK_BYTES = 160 << 10


@dataclass(frozen=True)
class Blocking:
    """``vectors`` of ``lanes`` make the ``nr`` columns of a tile."""

    element: str
    lanes: int
    vectors: int
    mr: int
    kc: int
    mc: int
    registers: int
    masks: bool

    @property
    def nr(self) -> int:
        return self.lanes * self.vectors

    def rows(self, vectors: int) -> int:
        """Rows of the tallest tile of so many vectors: two times ``mr`` where the registers allow it."""
        return self.mr * (2 if 2 * self.mr * vectors + vectors + 2 <= self.registers else 1)

    @property
    def scratch(self) -> int:
        """Elements of a packed block of A; each of its tiles ends with the slack that stores of whole vectors need."""
        return self.mc * self.kc + max(self.mc * 16, self.mc // self.mr * self.lanes)


def blocking(target: Target, element: str) -> Blocking:
    """Tiles for 16 registers of AVX2 (6 × 2 vectors), 32 of AVX-512 (14 × 2) or NEON (8 × 3), and those of SSE2, where
    the product takes a register of its own (4 × 2)."""
    lanes = target.lanes(element)
    if target.registers >= 32:
        mr, vectors = (14, 2) if target.width >= 64 else (8, 3)
    else:
        mr, vectors = (6, 2) if target.fma else (4, 2)
    kc = 256
    mc = BLOCK_BYTES // (kc * bytes_of(element)) // mr * mr
    return Blocking(element, lanes, vectors, mr, kc, mc, target.registers, target.width >= 32)
