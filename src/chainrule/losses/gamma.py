"""The gamma function in equations: everything that likelihoods need of it is one ratio.

log (x)_y = log Γ(x + y)/Γ(x), the rising factorial, is log y! for x = 1.  It is written as one difference and not as
two logarithms of Γ, which would be large and leave only rounding where x is large.
"""

from __future__ import annotations

AXES = "axis n = 8, u = 2"  # declared once in a text that has such equations


def log_rising_factorial(name: str, x: str, y: str) -> str:
    """Equations whose last is ``name[b,...]`` = log Γ(x + y)/Γ(x), for x > 0 and x + y > 0, to 1e-12.

    ``x`` and ``y`` are tensors [b,...], numbers, or (x) products of them.  Stirling's series at both ends, moved up by
    8, where it is exact: z = x + 8 and x + 8 + y, with the rest 1/(12z) - 1/(360z³) + …; and Γ(x + 1) = x Γ(x), eight
    times.  NIST Digital Library of Mathematical Functions, 5.11.1 and 5.5.1.
    """
    return f"""{name}_z[b,...,u] = {x} + 8 + u*{y}
    {name}_q[b,...,u] = 1/{name}_z[b,...,u]^2
    {name}_p[b,...,u] = 1/360 - {name}_q[b,...,u]*(1/1260 - {name}_q[b,...,u]*(1/1680 - {name}_q[b,...,u]/1188))
    {name}_rest[b,...,u] = (1/12 - {name}_q[b,...,u]*{name}_p[b,...,u])/{name}_z[b,...,u]
    {name}_near[b,...] = sum[n](log1p({y}/({x} + n))) + {name}_rest[b,...,0] - {name}_rest[b,...,1]
    {name}_far[b,...] = ({name}_z[b,...,0] - 0.5)*log1p({y}/{name}_z[b,...,0]) + {y}*(log({name}_z[b,...,1]) - 1)
    {name}[b,...] = {name}_far[b,...] - {name}_near[b,...]"""
