"""Contraction: C (+)= A·B for matrices at any strides, on one thread; callers divide the rows.

Two external functions an element type T (f32, f64); sizes and strides are i64, strides count elements::

    gemm_T(A, sam, sak, B, sbk, sbp, C, ldc, M, N, K, accumulate, scratch)
        C[m·ldc + n] (+)= Σ_k A[m·sam + k·sak] · B(k, n),   B(k, n) = B[(n / NR)·sbp + k·sbk + n % NR]
    pack_T(B, sbk, sbn, P, K, N, first, last)
        panels first … last - 1 of B[k·sbk + n·sbn] into P, padded with zeros

A packed B has ``sbk = NR`` and ``sbp = K·NR``; B in rows is read where it lies, with its row stride and ``sbp = NR``.
Nothing beyond column N is read of either, and nothing at all tells them apart.  ``accumulate`` not 0 adds to C.
``scratch`` is memory of the thread, ``scratch_elements`` long and aligned to 64 bytes, for a packed block of A.
K, M and N may be 0.

Each element of C is one chain of multiply-adds in the order of k for each block of k; blocks, cut by K alone, are
added to C one after the other.  So neither the division of the rows between calls nor the tile that an element lies in
changes a bit.  One case has sums of its own, again by K alone: N = 1 with ``sak = sbk = 1``, dot products.

The construction is that of GotoBLAS and BLIS; see ``blocking``.
"""

from __future__ import annotations

from chainrule.backends.native.gemm.blocking import blocking
from chainrule.backends.native.gemm.macro import gemm
from chainrule.backends.native.gemm.pack import pack
from chainrule.backends.native.gemm.window import window
from chainrule.backends.native.ir import Module
from chainrule.backends.native.target import Target

__all__ = ["KC", "MR", "NR", "module", "packed_elements", "scratch_elements"]


def module(target: Target, element: str) -> Module:
    """``gemm_f32``, ``pack_f32`` and ``window_f32`` for ``float``, those of ``f64`` for ``double``."""
    made = Module(target.fma)
    sizes = blocking(target, element)
    gemm(made, sizes)
    pack(made, sizes)
    window(made, sizes)
    return made


def MR(target: Target, element: str) -> int:
    """Rows of a tile: divisions of the rows at its multiples lose nothing."""
    return blocking(target, element).mr


def NR(target: Target, element: str) -> int:
    """Columns of a panel of B."""
    return blocking(target, element).nr


def KC(target: Target, element: str) -> int:
    """The longest block of k."""
    return blocking(target, element).kc


def packed_elements(K: int, N: int, target: Target, element: str) -> int:
    """The size of a packed B."""
    width = NR(target, element)
    return -(-N // width) * width * K


def scratch_elements(target: Target, element: str) -> int:
    """The size of ``scratch``."""
    return blocking(target, element).scratch
