"""Texts with slips of the finger: read, or refused with a place in the text; nothing else happens."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from cases import CASES
from chainrule.equations.parse import parse
from chainrule.errors import EquationError

CHARACTERS = "abtizh[](){}+-*/%^=<>!≤,.'0123456789 \n#β∂σ_~\"\\;:½²\t\u2028…"
PIECES = """sum[i]( max( where( logsumexp[k]( argmax[ [b] [t-1] x[b] // ** size( ~ uniform ∂ partial ... k' 1e400 %0
    99999999999999999999 data axis state random integer parameter""".split()  # noqa: SIM905


def mistyped(random: Random) -> str:
    text = str(random.choice(list(CASES.values())).system)
    for _ in range(random.choice((1, 1, 2))):
        at = random.randrange(len(text) + 1)
        kind = random.randrange(4)
        if kind == 0:
            text = text[:at] + text[at + random.randint(1, 4) :]
        elif kind == 1:
            text = text[:at] + random.choice(CHARACTERS) + text[at:]
        elif kind == 2:
            text = text[:at] + random.choice(PIECES) + " " + text[at:]
        else:
            start = random.randrange(len(text))
            text = text[:at] + text[start : start + 10] + text[at:]
    return text


@settings(max_examples=800)
@given(st.randoms(use_true_random=True).map(mistyped))
def test_mistyped(text: str) -> None:
    try:
        system = parse(text)
    except EquationError as error:
        place, quoted, carets = str(error).split("\n")
        assert place.startswith(f"<equations>:{error.line}:{error.column}: ")
        assert quoted.strip() in text
        assert set(carets.strip()) == {"^"}
        assert carets.index("^") == 4 + error.column - 1
    else:
        assert parse(str(system)) == system
