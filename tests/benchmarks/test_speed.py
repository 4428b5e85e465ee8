"""The speed benchmark on tiny networks: the libraries compute the same, and the tables say what was measured."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from benchmarks.speed.images import IMAGES
from benchmarks.speed.measure import Measurement, Options, Row, measure, measure_starts
from benchmarks.speed.peers import CHAINRULE, ESTIMATOR, JAX, SKLEARN, TORCH, Peer
from benchmarks.speed.report import Results
from benchmarks.speed.sequences import SEQUENCES, Sequences
from benchmarks.speed.sequences_chainrule import assembled, parameters
from benchmarks.speed.targets import SMALL, TARGETS, reached
from benchmarks.speed.with_chainrule import build as sequences
from benchmarks.speed.workloads import START, WORKLOADS, Workload
from rich.console import Console

from chainrule.backends import compile
from chainrule.generation.sampling import SYMBOL

TINY = Workload("tiny", (6, 5, 4, 3), 8, "tanh", rows=64)
OPTIONS = Options(rounds=2, seconds=0.005, threads=1, backend="numpy", quick=True)
VARIANTS = (
    TINY,
    replace(TINY, activation="sigmoid", optimizer="sgd"),
    replace(TINY, batch=64),
    replace(TINY, activation="relu", sizes=(6, 5, 1), loss="squared_error", dtype="float64"),
    replace(TINY, activation="gelu"),
    replace(TINY, activation="tanh_gelu"),
    replace(TINY, task="predict", batch=1),
)


def test_operations_of_a_step() -> None:
    # Forward 30 + 20 + 12 multiply-adds a row; backward the same for the weights, and 20 + 12 for the layers below.
    assert TINY.operations == 2 * 8 * (62 + 62 + 32)
    assert replace(TINY, task="predict").operations == 2 * 8 * 62


@pytest.mark.parametrize("workload", [TINY, replace(TINY, batch=64)], ids=["minibatches", "all rows"])
def test_every_chunk_has_its_rows(workload: Workload) -> None:
    orders = workload.orders
    assert orders.shape[1:] == (workload.chunk, workload.batch)
    assert sorted(set(orders.ravel())) == list(range(64))


def test_names_of_workloads_are_different() -> None:
    names = [workload.name for workload in (*WORKLOADS, *IMAGES, *SEQUENCES)]
    assert len(set(names)) == len(names)
    assert {target.workload for target in TARGETS} - {None} <= set(names)


@pytest.mark.parametrize("family", ["lstm", "gru", "gpt"])
def test_sequences_are_learnt(family: str) -> None:
    """The first losses are those of guessing, later ones are not."""
    workload = Sequences("tiny", (7, 8, 8), 8, family=family, length=5, blocks=1, rows=64)  # type: ignore[arg-type]
    assert Sequences.read(workload.fields()) == workload
    training = sequences(workload, {"form": "program"})
    training.run(1)
    first = training.result()
    training.run(100)
    assert abs(first - math.log(7)) < 0.2
    assert training.result() < first - 0.2


def test_generation_is_the_decoder() -> None:
    """One symbol after the other, from keys and values that are kept, as from the whole row at once."""
    workload = Sequences("tiny", (7, 8, 8), 1, family="gpt", length=5, blocks=2, rows=64, task="generate")
    generating = sequences(workload, {"form": "program"})
    generating.run(2)
    symbols, highest = (generating.found[name][:, 0] for name in (SYMBOL, "highest"))
    step = assembled(workload)
    row = np.array([[0, *symbols[:-1]]])
    decoder = compile(step.prediction_system, (step.output.name,), "float32")
    logits = decoder.run({"x": row}, parameters(workload, step))[step.output.name][0]
    np.testing.assert_allclose(highest, logits.max(axis=1), rtol=1e-4)
    np.testing.assert_array_equal(symbols, logits.argmax(axis=1))


@pytest.mark.parametrize("workload", [TINY, VARIANTS[2], VARIANTS[3]], ids=["minibatches", "all rows", "regression"])
def test_measures_and_finds_the_same_losses(workload: Workload) -> None:
    row = measure(workload, [CHAINRULE, SKLEARN], OPTIONS)
    assert list(row.measured) == ["chainrule", "scikit-learn"]
    for found in row.measured.values():
        assert found.problem is None
        assert len(found.seconds) == 2 and min(found.seconds) > 0
        assert found.built > 0 and found.memory >= found.memory_imported > 10
        assert math.isfinite(found.result)
    assert row.disagreeing == []


def test_predict_proba_beside_the_program() -> None:
    row = measure(VARIANTS[-1], [CHAINRULE, ESTIMATOR, SKLEARN], OPTIONS)
    assert all(len(found.seconds) == 2 for found in row.measured.values())
    assert row.disagreeing == []


def test_what_cannot_be_measured_is_said() -> None:
    absent = Peer("absent", "benchmarks.speed.with_absent", package="no_such_library")
    broken = Peer("broken", "benchmarks.speed.with_absent", package="chainrule")
    measured = measure(TINY, [absent, broken], OPTIONS).measured
    assert measured["absent"].problem == "no_such_library is not installed"
    assert "No module named" in str(measured["broken"].problem)


def test_start_of_a_process() -> None:
    assert START.chunk == 1 and not START.full_batch
    row = measure_starts([CHAINRULE], replace(OPTIONS, rounds=1))
    assert [len(row.measured[name].seconds) for name in ("cold", "warm")] == [1, 1]
    assert row.measured["cold"].median > row.measured["cold"].imported


def test_tables(capsys: pytest.CaptureFixture[str]) -> None:
    workload = next(workload for workload in WORKLOADS if workload.name == SMALL)
    seconds = {CHAINRULE.name: 20e-6, TORCH.name: 300e-6, JAX.name: 30e-6}
    row = Row(workload, {name: Measurement(name, seconds=[s, s, 9.0], result=2.0) for name, s in seconds.items()})
    row.measured[SKLEARN.name] = Measurement(SKLEARN.name, problem="not installed")
    row.measured[JAX.name].result = 3.0
    assert row.ratio("PyTorch") == pytest.approx(15)
    assert row.disagreeing == ["JAX"]
    assert [target["met"] for target in reached([row], None)] == [True, False]
    results = Results(OPTIONS, {"float32": {"numpy": {"768": 100.0}}}, [row], row)
    for sheet in results.sheets():
        sheet.print(Console(width=180))
    printed = capsys.readouterr().out
    markdown = "\n".join(sheet.markdown() for sheet in results.sheets())
    for text in (printed, markdown):
        assert "300 µs  15.00 ×" in text
        assert "scikit-learn: not installed" in text
    assert json.loads(json.dumps(results.fields(), allow_nan=False))["targets"][0]["met"] is True


@pytest.mark.peers
@pytest.mark.parametrize(
    "workload", VARIANTS, ids=lambda w: f"{w.task} {w.activation} {w.optimizer} {w.batch} {w.loss}"
)
def test_all_libraries_compute_the_same(workload: Workload) -> None:
    row = measure(workload, [CHAINRULE, TORCH, JAX, SKLEARN], replace(OPTIONS, rounds=1))
    assert not [found.problem for found in row.measured.values() if found.problem]
    assert row.disagreeing == []
