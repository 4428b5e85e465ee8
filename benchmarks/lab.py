"""What watching costs: the speed of a run with the page of the lab open in a browser, against that without.

``python -m benchmarks.lab [ROUNDS]`` trains networks in the process that serves the page, as the command does, and
counts steps for a few seconds with Chromium showing the run, then for as many with its page in the background, where
nothing is drawn and nothing asked of the run; in turn, in one run, on the same cores as the browser.  The first column
is the speed before any browser is there.

Where other work shares the cores, ratios of speeds say more about that work.  What is ``taken`` does not depend on it:
the processor time of the browser and of the threads that draw for it while it watches, as a share of all cores.  Where
training uses every core, that share is what it loses.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from chainrule.lab.registry import Runs
from chainrule.lab.runs import LabRun
from chainrule.lab.server import LOOPBACK, answer, listen
from chainrule.lab.sets import Sets
from chainrule.lab.setup import MOST_EPOCHS, Setup

SECONDS = 3.0
SETTLED = 1.0  # seconds until what was asked for is under way
TIMEOUT = 60_000  # milliseconds
VIEWS = ("step", "weights")
RUNS = {
    "digits 64-30-10, batch 32": Setup(epochs=MOST_EPOCHS),
    "digits 64-512-512-10, batch 128": Setup(
        network="Dense(512), ReLU(), Dense(512), ReLU(), Dense(10)", batch_size=128, epochs=MOST_EPOCHS
    ),
    "digits conv 16-32, batch 32": Setup(
        network='Conv2D(16, 3, padding="same"), ReLU(), MaxPool2D(2), Conv2D(32, 3), ReLU(), Dense(10)',
        epochs=MOST_EPOCHS,
    ),
}  # fmt: skip


def steps_a_second(run: LabRun, seconds: float = SECONDS) -> float:
    """How fast a run trains, counted from outside: what happens between two steps counts too."""
    trained = run._trainer.run
    first, start = trained.step, time.perf_counter()
    time.sleep(seconds)
    steps, spent = trained.step - first, time.perf_counter() - start
    assert run.state == "running", run.error or "the run is over; it needs more epochs"
    return steps / spent


def watching_time(server: threading.Thread) -> float:
    """Seconds of processor time so far of what watches: the browser, and the server's threads but those that train."""
    ours = [one.native_id for one in threading.enumerate() if one is server or one.name.startswith("asyncio")]
    mine = [_seconds(Path(f"/proc/self/task/{number}/stat")) for number in ours]
    parents = {int(path.name): _parent(path / "stat") for path in Path("/proc").glob("[0-9]*")}
    below = {os.getpid()}
    while more := {number for number, parent in parents.items() if parent in below} - below:
        below |= more
    theirs = [_seconds(Path(f"/proc/{number}/stat")) for number in below - {os.getpid()}]
    return sum(mine) + sum(theirs)


def _fields(path: Path) -> list[str]:
    """What the kernel says of a process or thread, behind its name; nothing of one that has ended."""
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:
        return ["", "0", *["0"] * 20]


def _parent(path: Path) -> int:
    return int(_fields(path)[1])


def _seconds(path: Path) -> float:
    return sum(map(int, _fields(path)[11:13])) / os.sysconf("SC_CLK_TCK")


def measured(
    browser: Any, link: str, server: threading.Thread, runs: Runs, made: Callable[[], LabRun], view: str, rounds: int
) -> tuple[float, list[float], list[float], float]:
    """Steps a second before there is a page, with it in the background, and watched; and what watching takes.

    Each round has a run of its own: one of a small network is soon over.
    """
    run = made()
    run.start()
    time.sleep(SETTLED)
    alone = steps_a_second(run)
    runs.end(run.id)
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(link)
    page.wait_for_url("**run=**", timeout=TIMEOUT)
    hidden: list[float] = []
    watched: list[float] = []
    taken = spent = 0.0
    for _ in range(rounds):
        run = made()
        run.start()
        page.goto(f"{link.partition('?')[0]}?run={run.id}&view={view}")
        page.get_by_text("steps/s").wait_for(timeout=TIMEOUT)
        for seen, found in ((False, hidden), (True, watched)):
            page.evaluate(f"emitEvent('lab-visible', {str(seen).lower()})")
            time.sleep(SETTLED)
            before, start = watching_time(server), time.perf_counter()
            found.append(steps_a_second(run))
            if seen:
                taken, spent = taken + watching_time(server) - before, spent + time.perf_counter() - start
        runs.end(run.id)
    page.context.close()
    return alone, hidden, watched, taken / spent / (os.cpu_count() or 1)


def main() -> None:
    from playwright.sync_api import sync_playwright

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    sets, runs, link = Sets(), Runs(), []
    with listen(LOOPBACK, 0) as listening:
        arguments = (sets, runs, listening, LOOPBACK, link.append)
        server = threading.Thread(target=answer, args=arguments, daemon=True)
        server.start()
        while not link:
            time.sleep(0.05)
        columns = " ".join(f"{name:>9}" for name in ("alone", "hidden", "watched"))
        print(f"{'network':34} {'view':10} {columns}  taken  watched/hidden, each round")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            for (name, setup), view in product(RUNS.items(), VIEWS):
                made = partial(runs.make, setup, sets.get(setup.data))
                alone, hidden, watched, taken = measured(browser, link[0], server, runs, made, view, rounds)
                ratios = [seen / unseen for unseen, seen in zip(hidden, watched, strict=True)]
                speeds = " ".join(f"{one:9,.0f}" for one in (alone, median(hidden), median(watched)))
                each = " ".join(f"{ratio:.3f}" for ratio in ratios)
                print(f"{name:34} {view:10} {speeds} {taken:6.1%}  {median(ratios):.3f} ({each})", flush=True)
            browser.close()
    runs.close()
    sets.close()


if __name__ == "__main__":
    main()
