"""What ``model.check`` finds in models that are broken in one known way each, and in healthy ones.

python -m benchmarks.check            prints the table
python -m benchmarks.check saturated  only what has the word in its name
"""

from __future__ import annotations

import sys
import time

from benchmarks.broken import BROKEN
from benchmarks.healthy import HEALTHY


def main() -> None:
    """Print model, findings and seconds, one line each."""
    words = sys.argv[1:]
    width = max(len(one.name) for one in (*BROKEN, *HEALTHY))
    named = only = count = silent = 0
    for one in (*HEALTHY, *BROKEN):
        if words and not any(word in one.name for word in words):
            continue
        start = time.perf_counter()
        diagnosis = one.diagnosis()
        kinds = set(diagnosis.kinds)
        follows = sorted({finding.kind for finding, _ in diagnosis.consequences})
        said = ", ".join(diagnosis.kinds) or "nothing"
        said += f"  (and what follows: {', '.join(follows)})" if follows else ""
        print(f"{one.name:<{width}}  {said}  {time.perf_counter() - start:.1f} s", flush=True)
        if one.kinds:
            count, named, only = count + 1, named + bool(kinds & one.kinds), only + (bool(kinds) and kinds <= one.kinds)
        else:
            silent += not kinds
    print(f"\n{named} of {count} broken models are named, {only} of them alone; {silent} healthy ones have no finding")


if __name__ == "__main__":
    main()
