"""How the numbers of a tensor are spread, and how large the gradients of each layer are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from chainrule.notation.curves import ticks
from chainrule.notation.markup import note, number, plural, text

BINS = 40
WIDTH, HEIGHT = 220, 74


def histogram(name: str, value: NDArray[np.floating]) -> str:
    """The numbers of a tensor in bins, with what is not finite and what is exactly 0 said in words."""
    numbers = np.asarray(value, dtype=float).ravel()
    finite = numbers[np.isfinite(numbers)]
    if not finite.size:
        return f'<figure class="spread"><figcaption>{text(name)}</figcaption>{note("no finite numbers")}</figure>'
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, _ = np.histogram(finite, bins=BINS, range=(low, high))
    base, tall = HEIGHT - 16, HEIGHT - 20
    step = WIDTH / BINS
    bars = "".join(
        f'<rect x="{k * step + 0.4:.1f}" width="{step - 0.8:.1f}" y="{base - tall * n / counts.max():.1f}" '
        f'height="{tall * n / counts.max():.1f}"/>'
        for k, n in enumerate(counts.tolist())
        if n
    )
    said = [f"mean {number(float(finite.mean()), 3)}", f"spread {number(float(finite.std()), 3)}"]
    zeros = float((numbers == 0).mean())
    if zeros > 0.005:
        said.append(f"{100 * zeros:.0f} % are 0")
    if finite.size < numbers.size:
        said.append(f"{plural(numbers.size - finite.size, 'number')} not finite")
    words = ", ".join(said)
    return (
        f'<figure class="spread"><figcaption><code>{text(name)}</code></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(f"{name}: {words}")}">{bars}'
        f'<line class="grid" x1="0" x2="{WIDTH}" y1="{base}" y2="{base}"/>'
        f'<text x="0" y="{HEIGHT - 3}">{number(low, 3)}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 3}" text-anchor="end">{number(high, 3)}</text></svg><p>{words}</p></figure>'
    )


def gradient_sizes(norms: Mapping[str, float], parameters: Mapping[str, float]) -> str:
    """The size of the gradient of each parameter on a common logarithmic scale, beside that of the parameter."""
    rows = [(name, float(norm), float(parameters.get(name, math.nan))) for name, norm in norms.items()]
    finite = [math.log10(norm) for _, norm, _ in rows if math.isfinite(norm) and norm > 0]
    if not finite:
        return note("No gradient yet: it is there after the first step.")
    low, high = math.floor(min(finite) - 0.5), math.ceil(max(finite) + 0.01)
    parts = []
    for name, norm, size in rows:
        width = 100 * (math.log10(norm) - low) / (high - low) if math.isfinite(norm) and norm > 0 else 0
        bar = f'<div class="bar"><i style="width:{width:.1f}%"></i></div>'
        ratio = number(norm / size, 2) if size and math.isfinite(size) else "–"
        parts.append(
            f'<tr><th scope="row"><code>{text(name)}</code></th><td>{bar}</td><td>{number(norm, 3)}</td>'
            f"<td>{ratio}</td></tr>"
        )
    marks = "".join(
        f'<span style="left:{100 * (k - low) / (high - low):.1f}%">{number(10.0**k)}</span>' for k in _powers(low, high)
    )
    columns = (
        '<th scope="col">parameter θ</th>'
        f'<th scope="col" class="scale"><div>{marks}</div></th><th scope="col">‖∂C/∂θ‖</th><th scope="col">÷ ‖θ‖</th>'
    )
    return (
        '<table class="gradients"><caption>How large the gradient of each parameter is</caption>'
        f"<thead><tr>{columns}</tr></thead><tbody>{''.join(parts)}</tbody></table>"
    )


def _powers(low: int, high: int) -> Sequence[int]:
    return [int(k) for k in ticks(low, high, 4) if k == int(k)]
