"""The benchmark table: ``python -m benchmarks.speed [--quick] [--only NAME …]``; see docs/performance.md."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from benchmarks.speed.images import IMAGES
from benchmarks.speed.measure import Options, measure, measure_peaks, measure_starts
from benchmarks.speed.peers import PEERS, Peer
from benchmarks.speed.report import Results, cores
from benchmarks.speed.sequences import SEQUENCES
from benchmarks.speed.workloads import WORKLOADS, Workload
from chainrule.backends import BACKENDS, default_backend

START_NAME = "process start"


def main(arguments: Sequence[str] | None = None) -> None:
    given = _options(arguments)
    quick, rounds = given.quick, given.rounds or (5 if given.quick else 7)
    options = Options(rounds, 0.1 if quick else 0.3, given.threads or cores(), given.backend, quick)
    peers = [peer for peer in PEERS if peer.measured(given.peers, quick)]
    known: tuple[Workload, ...] = (*WORKLOADS, *IMAGES, *SEQUENCES)
    workloads = [w for w in known if _chosen(w.name, given.only) and (w.quick or given.only or not quick)]
    # Tables go into files and pipes too, where no width is known.
    console = Console(width=None if Console().is_terminal else 180, highlight=False)
    results = run(workloads, peers, options, _chosen(START_NAME, given.only), console)
    for sheet in results.sheets():
        sheet.print(console)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(results.fields(), indent=1, ensure_ascii=False), encoding="utf-8")
    markdown = given.json.with_suffix(".md")
    markdown.write_text("\n".join(sheet.markdown() for sheet in results.sheets()), encoding="utf-8")
    console.print(f"{results.seconds:.0f} s; {given.json}, {markdown}")


def run(
    workloads: Sequence[Workload], peers: Sequence[Peer], options: Options, start: bool, console: Console
) -> Results:
    """Measure all of it, saying what is under way.  Ctrl-C keeps what has been measured."""
    results, begun = Results(options), time.perf_counter()
    with suppress(KeyboardInterrupt), console.status("") as status:

        def say(text: str) -> None:
            status.update(text)
            if not console.is_terminal:
                console.print(f"{time.perf_counter() - begun:5.0f} s  {text}")

        say("matrix products")
        libraries = ["numpy", *(["torch"] if any(p.package == "torch" and not p.missing for p in peers) else [])]
        measure_peaks(results.peaks, libraries, options.threads)
        for number, workload in enumerate(workloads, 1):
            say(f"{number} of {len(workloads)}: {workload.name}")
            results.rows.append(measure(workload, peers, options))
        if start:
            say(START_NAME)
            results.start = measure_starts(peers, options)
        say("matrix products again")
        measure_peaks(results.peaks, libraries, options.threads)
    results.seconds = time.perf_counter() - begun
    return results


def _chosen(name: str, only: Sequence[str]) -> bool:
    return not only or any(part.lower() in name.lower() for part in only)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description="Speed beside other libraries.")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="workloads whose names contain this")
    parser.add_argument(
        "--peers", nargs="+", default=[], type=str.lower, metavar="PEER", help=", ".join(p.name for p in PEERS)
    )
    parser.add_argument("--rounds", type=int, help="7; with --quick 5")
    parser.add_argument(
        "--quick", action="store_true", help="the main workloads without torch.compile, within three minutes"
    )
    parser.add_argument("--backend", choices=BACKENDS, default=default_backend())
    parser.add_argument("--threads", type=int, help="at most so many; all cores")
    parser.add_argument("--json", type=Path, default=Path("runs/benchmarks/speed.json"), help="Markdown goes beside it")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
