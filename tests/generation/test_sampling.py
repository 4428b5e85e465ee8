"""Drawing symbols, as equations; rows side by side; windows that go on; beams."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse
from chainrule.errors import ChainruleError
from chainrule.generation.beams import beam_search
from chainrule.generation.sampling import GIVEN, MAY_COME, SYMBOL, Sampling, generating
from chainrule.generation.sequences import sample
from chainrule.generation.stepping import Stepping, stepping

Array = NDArray[Any]
SYMBOLS = 5
ALL = np.ones(SYMBOLS)


def chain(positions: int | None = None) -> tuple[Stepping, dict[str, Array]]:
    """A Markov chain: the logits of the next symbol are a row of W.  ``positions``: how many there may be."""
    more = "" if positions is None else " + P[t]"
    system = parse(
        f"axis t = {positions or 9}\ninteger x[b,t]\nparameter W[u,v]{', P[t]' if positions else ''}\n"
        f"s[b,t,v] = W[x[b,t],v]{more}"
    )
    values: dict[str, Array] = {"W": np.random.default_rng(1).normal(0, 1.5, (SYMBOLS, SYMBOLS))}
    return stepping(system, "s"), values | ({"P": np.zeros(positions)} if positions else {})


def probabilities(weights: Array) -> Array:
    return np.asarray(np.exp(weights - np.logaddexp.reduce(weights, axis=-1, keepdims=True)))


def draws(sampling: Sampling, allowed: Array = ALL, rows: int = 4000) -> tuple[Array, Array]:
    """How often each symbol was drawn behind symbol 2, and the logits there."""
    step, values = chain()
    system = generating(step, sampling)
    given = {**values, **sampling.values, GIVEN: np.full(rows, 2), MAY_COME: allowed}
    found = evaluate(system, given, seed=5)[SYMBOL]
    return np.bincount(found, minlength=SYMBOLS) / rows, values["W"][2]


def test_draws_follow_the_probabilities() -> None:
    shares, logits = draws(Sampling(temperature=0.7))
    assert np.abs(shares - probabilities(logits / 0.7)).max() < 0.03


def test_top_k_leaves_the_most_probable() -> None:
    shares, logits = draws(Sampling(top_k=2))
    kept = np.sort(np.argsort(-logits)[:2])
    assert np.nonzero(shares)[0].tolist() == kept.tolist()
    assert np.abs(shares[kept] - probabilities(logits[kept])).max() < 0.03


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 1.0])
def test_top_p_leaves_the_fewest_that_have_the_share(share: float) -> None:
    shares, logits = draws(Sampling(top_p=share))
    order = np.argsort(-logits)
    needed = 1 + int(np.sum(np.cumsum(probabilities(logits)[order]) < share - 1e-12))
    assert set(np.nonzero(shares)[0]) <= set(order[:needed])
    assert shares[order[needed - 1]] > 0 or probabilities(logits)[order[needed - 1]] < 0.002


def test_top_p_is_of_what_top_k_left() -> None:
    shares, logits = draws(Sampling(top_k=3, top_p=0.999))
    assert np.count_nonzero(shares) == 3
    assert draws(Sampling(top_k=1))[0][logits.argmax()] == 1


def test_what_may_not_come_does_not() -> None:
    shares, logits = draws(Sampling(), allowed=np.array([1, 0, 1, 0, 1]))
    assert shares[1] == shares[3] == 0
    greedy, _ = draws(Sampling(0), allowed=np.where(np.arange(SYMBOLS) == logits.argmax(), 0, 1))
    assert greedy[np.argsort(-logits)[1]] == 1


@pytest.mark.parametrize("backend", ["numpy", "native"])
def test_rows_of_different_length_are_as_alone(backend: str) -> None:
    step, values = chain()
    prompts = [[1], [0, 3, 2, 2], [4, 4]]

    def greedy(rows: list[list[int]]) -> list[list[int]]:
        return sample(step, values, rows, 6, Sampling(0), ALL, dtype="float64", backend=backend)

    found = greedy(prompts)
    assert found == [greedy([prompt])[0] for prompt in prompts]
    follow = values["W"].argmax(axis=1)
    for prompt, row in zip(prompts, found, strict=True):
        assert row == [int(follow[symbol]) for symbol in [prompt[-1], *row[:-1]]]


def test_a_seed_gives_the_same_and_another_does_not() -> None:
    step, values = chain()

    def drawn(seed: int, backend: str) -> list[list[int]]:
        return sample(step, values, [[1], [2]], 20, Sampling(), ALL, seed=seed, dtype="float64", backend=backend)

    assert drawn(3, "numpy") == drawn(3, "native") != drawn(4, "native")


def test_stop_ends_a_row() -> None:
    step, values = chain()
    rows = sample(
        step, values, [[1], [2], [3]], 50, Sampling(), ALL, stop=lambda s: s.index(0) if 0 in s else None, seed=1
    )
    whole = sample(step, values, [[1], [2], [3]], 50, Sampling(), ALL, seed=1)
    assert rows == [row[: row.index(0)] if 0 in row else row for row in whole]


def test_full_positions_go_on_with_the_latest_half() -> None:
    """A network that sees the mean of everything so far: what it sees after 6 positions is said by the last 3."""
    system = parse(
        "axis t = 6\ninteger x[b,t]\nparameter W[u,v]\ne[b,t,v] = W[x[b,t],v]\n"
        "s[b,t,v] = sum[t']([t' <= t]*e[b,t',v])/(t + 1)"
    )
    step = stepping(system, "s")
    weights = np.random.default_rng(3).normal(size=(SYMBOLS, SYMBOLS))

    def following(context: list[int]) -> int:
        return int(weights[context].mean(axis=0).argmax())

    everything, context = [1, 2], [1, 2]
    for _ in range(15):
        everything.append(following(context))
        context = everything[-3:] if len(context) == 6 else [*context, everything[-1]]
    found = sample(step, {"W": weights}, [[1, 2]], 15, Sampling(0), ALL, dtype="float64", backend="numpy")
    assert found == [everything[2:]]
    # A prompt that is too long is read from its latest half on.
    long = [3, 1, 4, 0, 2, 2, 0, 3]
    found = sample(step, {"W": weights}, [long], 1, Sampling(0), ALL, dtype="float64", backend="numpy")
    assert found == [[following([2, 0, 3])]]


def test_beams_find_the_most_probable() -> None:
    step, values = chain()
    log = np.log(probabilities(values["W"]))

    def total(symbols: tuple[int, ...]) -> float:
        return sum(float(log[one, other]) for one, other in zip((2, *symbols), symbols, strict=False))

    every = sorted(product(range(SYMBOLS), repeat=3), key=total, reverse=True)
    found = beam_search(step, values, [2], 3, SYMBOLS**2, ALL, dtype="float64", backend="numpy")
    assert [one.symbols for one in found] == every[: SYMBOLS**2]
    assert found[0].log_probability == pytest.approx(total(every[0]))
    one = beam_search(step, values, [2], 8, 1, ALL, dtype="float64", backend="numpy")[0]
    assert [list(one.symbols)] == sample(step, values, [[2]], 8, Sampling(0), ALL, dtype="float64", backend="numpy")


def test_a_beam_that_ended_keeps_its_place() -> None:
    step, values = chain()
    values["W"][:, 0] += 3.0
    found = beam_search(step, values, [2], 6, 3, ALL, end=0, dtype="float64", backend="numpy")
    assert found[0].symbols == (0,)
    assert found[0].ended
    assert all(one.symbols.count(0) <= 1 and 0 not in one.symbols[:-1] for one in found)


def test_beams_go_on_where_positions_are_full() -> None:
    step, values = chain(positions=4)
    endless, _ = chain()
    found = beam_search(step, values, [2, 1], 9, 3, ALL, dtype="float64", backend="numpy")
    expected = beam_search(endless, {"W": values["W"]}, [2, 1], 9, 3, ALL, dtype="float64", backend="numpy")
    assert [one.symbols for one in found] == [one.symbols for one in expected]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1}, "temperature must be a number at least 0"),
        ({"top_k": 0}, "top_k must be a whole number"),
        ({"top_p": 0.0}, "top_p must be a number above 0 and at most 1"),
    ],
)
def test_settings_that_mean_nothing(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        Sampling(**settings)
