"""Reports of four models, on images, a table, and texts: ``python -m benchmarks.reports``.

Small trainings, whose reports are written into runs/reports/: digits, california_housing, a convolutional network on
Fashion-MNIST, and the sentences of SST-2.  ``--pictures`` takes pictures of each in Chromium, with the network off
(light, dark, on a tablet, as PDF), and prints what the page complains of and what axe-core finds.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

import chainrule as cr
from benchmarks.datasets import data_folder, read_idx
from chainrule.data.files import read_table, split_target
from chainrule.report import Origin, Report, report

Array = NDArray[Any]

SIZES = {"light": (1280, 800), "dark": (1280, 800), "tablet": (768, 1024)}


def digits() -> Report:
    """A table whose rows are images of 8 × 8."""
    data = load_digits()
    rows, kept = _divided(len(data.target), 0.2)
    model = cr.Classifier(validation_fraction=0.1, random_state=0).fit(data.data[rows], data.target[rows])
    training = (data.data[rows], data.target[rows])
    of = Origin("digits", "kept aside for the test", "digit", image=(8, 8), training=training)
    return report(model, data.data[kept], data.target[kept], of)


def california_housing() -> Report:
    """Numbers, gaps and a category; the median value of houses is predicted."""
    table = read_table(data_folder("tabular") / "california_housing.csv")
    X, y = split_target(table, "median_house_value")
    rows, kept = (some[:6000] for some in _divided(len(y), 0.2))
    values = y.to_numpy()
    training = (X.take(rows), values[rows])
    model = cr.Regressor(epochs=20, random_state=0).fit(*training)
    of = Origin("california_housing", "kept aside for the test", "median_house_value", training=training)
    return report(model, X.take(kept), values[kept], of)


def fashion() -> Report:
    """Images of garments, a convolutional network with a residual connection."""
    names = np.array(["T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"])
    folder = data_folder("fashion_mnist")
    parts = {
        part: (
            read_idx(folder / f"{part}-images-idx3-ubyte.gz"),
            names[read_idx(folder / f"{part}-labels-idx1-ubyte.gz")].astype(object),
        )
        for part in ("train", "t10k")
    }
    training = tuple(values[:6000] for values in parts["train"])
    kept = tuple(values[:2000] for values in parts["t10k"])
    network = cr.Network(
        cr.Conv2D(16, 3, padding="same"),
        cr.ReLU(),
        cr.MaxPool2D(2),
        cr.Residual(cr.Conv2D(16, 3, padding="same"), cr.ReLU()),
        cr.MaxPool2D(2),
        cr.Dense(64),
        cr.ReLU(),
        cr.Dropout(0.2),
        cr.Dense(10),
    )
    model = cr.Classifier(
        network, optimizer=cr.Adam(2e-3), epochs=4, batch_size=64, random_state=0, validation_fraction=0.1
    ).fit(*training)
    of = Origin("Fashion-MNIST", "of the test set", "garment", training=(training[0], training[1]))
    return report(model, *kept, of)


def sst2() -> Report:
    """Sentences of film reviews, and whether they praise; an LSTM."""
    folder = data_folder("sst2")
    texts, labels = _sentences(folder / "stsa.binary.train", 4000)
    network = cr.Network(cr.Embedding(8000, 32), cr.Dropout(0.3), cr.Bidirectional(cr.LSTM(32)), cr.Dense(2))
    model = cr.Classifier(
        network,
        optimizer=cr.Adam(3e-3),
        epochs=4,
        batch_size=64,
        random_state=0,
        reading=cr.Words(most=7998),
        validation_fraction=0.1,
    ).fit(texts, labels)
    kept = _sentences(folder / "stsa.binary.test", 1000)
    of = Origin("SST-2", "of the test set", "sentiment", training=(texts, labels))
    return report(model, *kept, of)


def _sentences(path: Path, most: int) -> tuple[list[str], Array]:
    lines = [line.partition(" ") for line in path.read_text(encoding="utf-8").splitlines()[:most]]
    labels = np.array(["praise" if label == "1" else "blame" for label, _, _ in lines], dtype=object)
    return [text for _, _, text in lines], labels


def _divided(rows: int, share: float) -> tuple[Array, Array]:
    order = np.random.default_rng(0).permutation(rows)
    kept = int(share * rows)
    return np.sort(order[kept:]), np.sort(order[:kept])


REPORTS: dict[str, Callable[[], Report]] = {
    "digits": digits,
    "california_housing": california_housing,
    "fashion": fashion,
    "sst2": sst2,
}


def pictures(page: Path) -> None:
    """The page as Chromium shows it, beside it; and what is wrong with it."""
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (width, height) in SIZES.items():
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if name == "dark" else "light",
                offline=True,
            )
            shown = context.new_page()
            shown.on("console", lambda said: print(f"  console: {said.text}"))
            shown.on("pageerror", lambda error: print(f"  error: {error}"))
            shown.goto(page.resolve().as_uri())
            shown.screenshot(path=page.with_name(f"{page.stem}-{name}.png"), full_page=True)
            violations = Axe().run(shown).response["violations"]
            wide = shown.evaluate("document.documentElement.scrollWidth")
            print(f"  {name}: {wide} pixels wide, {len(violations)} violations")
            for one in violations:
                print(f"    {one['id']} ({len(one['nodes'])}): {one['help']}; {one['nodes'][0]['html'][:150]}")
            if name == "light":
                shown.pdf(path=page.with_suffix(".pdf"), format="A4", print_background=True)
            context.close()
        browser.close()


def main() -> None:
    reading = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reading.add_argument("names", nargs="*", metavar="NAME", help=f"which ones: {', '.join(REPORTS)} (default: all)")
    reading.add_argument("--pictures", action="store_true", help="pictures of each page, and an audit")
    reading.add_argument("--out", type=Path, default=Path("runs/reports"))
    given = reading.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.names or REPORTS:
        start = time.perf_counter()
        path = REPORTS[name]().save(given.out / f"{name}.html")
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, {time.perf_counter() - start:.0f} s")
        if given.pictures:
            pictures(path)


if __name__ == "__main__":
    main()
