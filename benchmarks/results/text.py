"""Language models of characters: tiny Shakespeare and names."""

from __future__ import annotations

import time

from benchmarks.datasets import data_folder
from benchmarks.results.result import Result
from chainrule.estimators import LanguageModel
from chainrule.optimizers import AdamW, CosineDecay, WarmUp

SAMPLE = 300  # characters shown
NAMES_SHOWN = 20


def shakespeare(seed: int, backend: str | None) -> Result:
    """The plays, a million characters: the last tenth is measured on after 2,000 steps."""
    text = (data_folder("shakespeare") / "input.txt").read_text(encoding="utf-8")
    network = "gpt(layers=4, heads=4, units=128)"
    model = LanguageModel(
        network,
        length=64,
        batch_size=12,
        epochs=8,
        steps_per_epoch=250,
        backend=backend,
        random_state=seed,
        verbose=True,
    )
    start = time.perf_counter()
    model.fit(text)
    seconds = time.perf_counter() - start
    shown = model.generate("\n", SAMPLE, temperature=0.8, seed=seed)
    return Result(
        name="tiny Shakespeare",
        network=f"{network}, 64 characters, batch 12, 2,000 steps",
        measure="nats a character",
        ours=model.history_["validation_loss"][-1],
        published="1.88",
        source="Karpathy, nanoGPT, readme: the recipe for a CPU",
        target=1.88,
        higher=False,
        seed=seed,
        epochs=model.n_iter_,
        minutes=seconds / 60,
        rows_a_second=12 * 2000 / seconds,
        backend=model.training_.computed_by,
        samples=tuple(shown.strip().splitlines()),
    )


def names(seed: int, backend: str | None) -> Result:
    """Thirty-two thousand first names: a tenth, chosen at random, is measured on; some that were made are shown."""
    known = (data_folder("shakespeare") / "names.txt").read_text(encoding="utf-8").split()
    network = "gpt(layers=4, heads=4, units=64)"
    optimizer = AdamW(WarmUp(CosineDecay(3e-3, 1e-4), 100), beta2=0.99, weight_decay=0.1)
    model = LanguageModel(
        network, optimizer, batch_size=32, epochs=10, backend=backend, random_state=seed, verbose=True
    )
    start = time.perf_counter()
    model.fit(known)
    seconds = time.perf_counter() - start
    made = model.generate([""] * NAMES_SHOWN, 30, seed=seed)
    new = sum(name not in set(known) for name in made)
    return Result(
        name="names",
        network=network,
        measure="nats a character",
        ours=model.history_["validation_loss"][-1],
        published="1.92",
        source="Karpathy, makemore, readme: its default network, trained many times as long",
        target=1.92,  # the published figure; only samples are asked for
        higher=False,
        seed=seed,
        epochs=model.n_iter_,
        minutes=seconds / 60,
        rows_a_second=model.training_.rows * model.n_iter_ / seconds,
        backend=model.training_.computed_by,
        samples=(", ".join(made), f"{new} of {len(made)} are not among the names it was given"),
    )
