"""Published results on real data, beside ours.

    python -m benchmarks.results mnist-lenet5 faces     these
    python -m benchmarks.results all                    every one, an hour on two cores
    python -m benchmarks.results fashion --json         as one line of JSON

docs/results.md has the figures that were measured.
"""

from __future__ import annotations

import argparse

from benchmarks.results import RESULTS, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=(*RESULTS, "all"), metavar="NAME", help=", ".join(RESULTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backend", choices=("native", "numpy"), help="default: native where it can be")
    parser.add_argument("--json", action="store_true", help="one line of JSON for each result")
    given = parser.parse_args()
    for name in RESULTS if "all" in given.names else given.names:
        found = result(name)(given.seed, given.backend)
        print(found.json() if given.json else found, flush=True)


if __name__ == "__main__":
    main()
