"""GFLOP/s of square matrix products: ``python -m benchmarks.speed.peak numpy|torch float32|float64 THREADS``."""

from __future__ import annotations

import json
import os
import sys
import time
from functools import partial

SIZES = {"float32": (768, 1536, 2048, 3072), "float64": (768, 1536, 2048)}
SECONDS_A_SIZE = 0.5


def main() -> None:
    library, dtype, threads = sys.argv[1:]
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads))
    import numpy as np

    found = {}
    for size in SIZES[dtype]:
        a = np.random.default_rng(0).random((size, size)).astype(dtype)
        product = partial(np.matmul, a, a, out=np.empty_like(a))
        if library == "torch":
            import torch

            torch.set_num_threads(int(threads))
            t = torch.from_numpy(a)
            product = partial(torch.mm, t, t, out=torch.empty_like(t))
        product()
        best, begun = float("inf"), time.perf_counter()
        while time.perf_counter() - begun < SECONDS_A_SIZE:
            start = time.perf_counter()
            product()
            best = min(best, time.perf_counter() - start)
        found[str(size)] = 2 * size**3 / best / 1e9
    print(json.dumps(found))


if __name__ == "__main__":
    main()
