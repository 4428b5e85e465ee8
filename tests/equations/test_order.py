"""Blocks: what is computed when, and what is a recurrence along which axis in which direction."""

from __future__ import annotations

from chainrule.equations.order import order
from chainrule.equations.parse import parse


def blocks(text: str) -> list[tuple[str, str | None, int]]:
    return [(" ".join(e.name for e in block.equations), block.axis, block.direction) for block in order(parse(text))]


def test_written_in_any_order() -> None:
    text = "c = sum[b](a[b])\na[b] = tanh(z[b])\nz[b] = x[b]"
    assert blocks(text) == [("z", None, 0), ("a", None, 0), ("c", None, 0)]


def test_order_of_writing_is_kept_where_it_can_be() -> None:
    text = "a[b] = x[b]\nc[b] = x[b]\nd[b] = a[b] + c[b]\ne[b] = c[b]"
    assert [names for names, _, _ in blocks(text)] == ["a", "c", "d", "e"]


def test_directions() -> None:
    assert blocks("h[t] = h[t-1] + x[t]") == [("h", "t", 1)]
    assert blocks("h[t] = h[t+2] + x[t]") == [("h", "t", -1)]
    assert blocks("axis d = 2\nh[t] = sum[d](h[t-1-d]) + x[t]") == [("h", "t", 1)]
    assert blocks("axis d = 2\nh[t] = sum[d](h[t+1+2*d]) + x[t]") == [("h", "t", -1)]


def test_the_axis_that_every_cycle_shifts() -> None:
    assert blocks("axis s = 3\nh[s,t] = h[s,t-1] + x[t]") == [("h", "t", 1)]
    assert blocks("axis s = 3\nh[s,t] = h[s-1,t-1] + h[s+1,t-1] + x[t]") == [("h", "t", 1)]
    assert blocks("axis s = 3\nh[s,t] = h[s-1,t+1] + x[t]") == [("h", "s", 1)]


def test_equations_that_read_each_other() -> None:
    text = """
        h[t,k] = o[t,k]*tanh(c[t,k])
        o[t,k] = sigmoid(c[t,k] + h[t-1,k])
        c[t,k] = c[t-1,k] + x[t,k]*h[t-1,k]
    """
    assert blocks(text) == [("c o h", "t", 1)]


def test_only_what_is_on_the_cycle_is_in_the_block() -> None:
    text = """
        z[t,k] = sum[i](x[t,i]*W[i,k])
        h[t,k] = tanh(z[t,k] + h[t-1,k])
        y[t,k] = 2*h[t,k]
    """
    assert blocks(text) == [("z", None, 0), ("h", "t", 1), ("y", None, 0)]


def test_two_recurrences() -> None:
    text = "f[t] = f[t-1] + x[t]\ng[t] = g[t+1] + f[t]\nh[s] = h[s-1] + g[s]"
    assert blocks(text) == [("f", "t", 1), ("g", "t", -1), ("h", "s", 1)]


def test_next_values_do_not_close_a_circle() -> None:
    text = "parameter w\ndata g\nz = w*g\nw' = w - z"
    assert blocks(text) == [("z", None, 0), ("w'", None, 0)]


def test_a_long_chain() -> None:
    """Many equations, each reading the next, and no recursion of Python's."""
    lines = ["y0[b] = x[b]", *(f"y{n + 1}[b] = y{n}[b] + 1" for n in range(1500))]
    assert len(order(parse("\n".join(reversed(lines))))) == 1501
