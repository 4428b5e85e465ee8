"""Derived training steps, run for several steps, against the reference evaluator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.backends.cases import agree

from chainrule.backends import BACKENDS, compile
from chainrule.calculus.reverse import derive
from chainrule.equations.evaluate import evaluate
from chainrule.equations.parse import parse
from chainrule.equations.system import System

NETWORKS: dict[str, str] = {
    "dense": """
        axis i = 6, j = 5, k = 3
        data X[n,i], Y[n,k]
        integer rows[b]
        parameter W1[i,j], β1[j], W2[j,k], β2[k]
        x[b,i] = X[rows[b],i]
        y[b,k] = Y[rows[b],k]
        a[b,j] = sigmoid(sum[i](x[b,i]*W1[i,j]) + β1[j])
        o[b,k] = sigmoid(sum[j](a[b,j]*W2[j,k]) + β2[k])
        C = sum[b,k]((o[b,k] - y[b,k])^2)/(2*size(b))
        """,
    "dropout": """
        axis i = 6, j = 5, k = 3
        data X[n,i]
        integer Y[n], rows[b]
        random r[b,j] ~ uniform, noise[b,i] ~ normal
        parameter W1[i,j], W2[j,k]
        x[b,i] = X[rows[b],i] + 0.1*noise[b,i]
        y[b] = Y[rows[b]]
        a[b,j] = relu(sum[i](x[b,i]*W1[i,j]))*[r[b,j] < 0.8]/0.8
        z[b,k] = sum[j](a[b,j]*W2[j,k])
        C = sum[b](logsumexp[k](z[b,k]) - z[b,y[b]])/size(b)
        """,
    "convolution": """
        axis h = 8, w = 7, c = 2, o = 3, u = 3, v = 3, p = (size(h) - size(u) + 2)//2 + 1, q = size(w) - size(v) + 1
        axis m = size(p)//2, s = size(q)//2, f = 2, g = 2, k = 3
        data X[n,c,h,w]
        integer Y[n], rows[b]
        parameter W[o,c,u,v], β[o], V[o,m,s,k]
        x[b,c,h,w] = X[rows[b],c,h,w]
        z[b,o,p,q] = sum[c,u,v](x[b,c,2*p + u - 1,q + v]*W[o,c,u,v]) + β[o]
        a[b,o,p,q] = relu(z[b,o,p,q])
        l[b,o,m,s] = max[f,g](a[b,o,2*m + f,2*s + g])
        y[b,k] = sum[o,m,s](l[b,o,m,s]*V[o,m,s,k])
        C = sum[b](logsumexp[k](y[b,k]) - y[b,Y[rows[b]]])/size(b)
        """,
    "two convolutions": """
        axis h = 12, c = 2, o = 3, u = 3, p = (size(h) - size(u))//3 + 1, o2 = 4, u2 = 2, p2 = size(p) - size(u2) + 1
        data X[n,c,h]
        integer rows[b]
        parameter W[o,c,u], V[o2,o,u2], A[c,o]
        x[b,c,h] = X[rows[b],c,h]
        e[b,c,h] = tanh(sum[o,c',u](x[b,c',h + u - 1]*W[o,c',u]*A[c,o]))
        z[b,o,p] = tanh(sum[c,u](e[b,c,3*p + u]*W[o,c,u]))
        y[b,o2,p2] = sum[o,u2](z[b,o,p2 + u2]*V[o2,o,u2])
        C = sum[b,o2,p2](y[b,o2,p2]^2)
        """,
    "recurrent": """
        axis v = 7, d = 4, k = 5, t = 6
        integer X[n,t], rows[b]
        parameter E[v,d], W[d,k], U[l,k], β[k], O[k,v]
        axis l = size(k)
        token[b,t] = X[rows[b],t]
        x[b,t,d] = E[token[b,t],d]
        h[b,t,k] = tanh(sum[d](x[b,t,d]*W[d,k]) + sum[l](h[b,t-1,l]*U[l,k]) + β[k])
        s[b,t,v] = sum[k](h[b,t,k]*O[k,v])
        C = sum[b,t]([t < size(t) - 1]*(logsumexp[v](s[b,t,v]) - s[b,t,token[b,t + 1]]))/size(b)
        """,
    "lstm": """
        axis g = 4, k = 3, l = 3, i = 2, t = 5
        data X[n,t,i], Y[n]
        integer rows[b]
        parameter W[i,g,k], U[l,g,k], β[g,k], o[k]
        z[b,t,g,k] = sum[i](X[rows[b],t,i]*W[i,g,k]) + sum[l](h[b,t-1,l]*U[l,g,k]) + β[g,k]
        c[b,t,k] = sigmoid(z[b,t,1,k])*c[b,t-1,k] + sigmoid(z[b,t,0,k])*tanh(z[b,t,2,k])
        h[b,t,k] = sigmoid(z[b,t,3,k])*tanh(c[b,t,k])
        y[b] = sum[k](h[b,size(t) - 1,k]*o[k])
        C = sum[b]((y[b] - Y[rows[b]])^2)
        """,
    "attention": """
        axis v = 150, d = 4, h = 2, e = 3, t = 5, r = size(t)
        integer X[n,t], rows[b]
        parameter E[v,d], Q[d,h,e], K[d,h,e], V[d,h,e], O[h,e,d], γ[d], S[d,v]
        token[b,t] = X[rows[b],t]
        x[b,t,d] = E[token[b,t],d]
        μ[b,t] = sum[d](x[b,t,d])/size(d)
        n[b,t,d] = γ[d]*(x[b,t,d] - μ[b,t])*rsqrt(sum[d]((x[b,t,d] - μ[b,t])^2)/size(d) + 0.00001)
        q[b,h,t,e] = sum[d](n[b,t,d]*Q[d,h,e])
        k[b,h,t,e] = sum[d](n[b,t,d]*K[d,h,e])
        w[b,t,h,e] = sum[d](n[b,t,d]*V[d,h,e])
        s[b,h,t,r] = where([r <= t], sum[e](q[b,h,t,e]*k[b,h,r,e])/sqrt(size(e)), -∞)
        p[b,h,t,r] = exp(s[b,h,t,r] - logsumexp[r'](s[b,h,t,r']))
        o[b,t,h,e] = sum[r](p[b,h,t,r]*w[b,r,h,e])
        y[b,t,d] = x[b,t,d] + sum[h,e](o[b,t,h,e]*O[h,e,d])
        l[b,t,v] = sum[d](y[b,t,d]*S[d,v])
        C = sum[b,t](logsumexp[v](l[b,t,v]) - l[b,t,token[b,t + 1]])/size(b)
        """,
}

SGD = "{p}'{a} = {p}{a} - η*∂{p}{a}"
ADAM = """
    m_{p}'{a} = 0.9*m_{p}{a} + (1 - 0.9)*∂{p}{a}
    v_{p}'{a} = 0.99*v_{p}{a} + (1 - 0.99)*∂{p}{a}^2
    {p}'{a} = {p}{a} - η*m_{p}'{a}/(1 - 0.9^τ')/(sqrt(v_{p}'{a}/(1 - 0.99^τ')) + 0.00000001) - 0.01*η*{p}{a}
"""


def training_step(text: str, rule: str) -> System:
    """The system with its derivatives and an update rule."""
    system = derive(parse(text), "C").system
    parts = {t.name: f"[{','.join(t.axes)}]" if t.axes else "" for t in system.parameters}
    lines = [str(system)] + [rule.format(p=p, a=a) for p, a in parts.items()] + ["data η"]
    if "τ" in rule:
        lines += ["state τ = 0", "τ' = τ + 1"]
        lines += [f"state m_{p}{a}, v_{p}{a}" for p, a in parts.items()]
    return parse("\n".join(lines))


def example(system: System, steps: int, batch: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Data of 12 rows, initial parameters, and minibatches."""
    random = np.random.default_rng(1)
    sizes = {name: size for name, size in _sizes(system).items()}
    values: dict[str, Any] = {}
    state: dict[str, Any] = {}
    for tensor in system.inputs:
        shape = tuple(sizes.get(axis, 12) for axis in tensor.axes)
        if tensor.name in ("rows", "η") or tensor.role in ("random", "state"):
            continue
        if tensor.role == "integer":
            values[tensor.name] = random.integers(0, 3, shape)
        elif tensor.role == "data":
            values[tensor.name] = random.normal(size=shape)
        else:
            state[tensor.name] = random.normal(size=shape) * 0.5
    changing = {"rows": random.integers(0, 12, (steps, batch)), "η": np.full(steps, 0.05)}
    return values, state, changing


def _sizes(system: System) -> dict[str, int]:
    from chainrule.equations.sizes import solve_sizes

    return solve_sizes(system, {}, partial=True)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
@pytest.mark.parametrize("name", NETWORKS)
def test_training(name: str, rule: str, dtype: str, backend: str) -> None:
    if rule == "adam" and name not in ("dense", "dropout"):
        pytest.skip("the rule is the same for every network")
    check_training(name, SGD if rule == "sgd" else ADAM, dtype, backend)


def check_training(name: str, rule: str, dtype: str, backend: str, batch: int = 4) -> None:
    """Three steps, and another batch size."""
    system = training_step(NETWORKS[name], rule)
    values, state, steps = example(system, 3, batch)
    first = {key: value.copy() for key, value in state.items()}
    program = compile(system, ("C", *derived(system)), dtype, backend)
    expected_state = dict(state)
    found = program.run(values, state, steps, seed=5, first_step=7)
    for n in range(3):
        now = {key: value[n] for key, value in steps.items()}
        expected = evaluate(system, {**values, **expected_state, **now}, seed=5, step=7 + n)
        for output in found:
            try:
                agree(found[output][n], expected[output], dtype)
            except AssertionError as error:
                raise AssertionError(f"{output}, step {n}: {error}\n{program.source}") from None
        expected_state = {key: expected[successor] for key, successor in system.updates.items()}
    for key, value in expected_state.items():
        agree(state[key], value, dtype)
    for key in first:
        assert state[key] is not first[key]
    # another batch size, without new code where nothing depends on it
    smaller = {key: value[:, : batch - 1] if value.ndim > 1 else value for key, value in steps.items()}
    again = program.run(values, dict(first), smaller)
    expected = evaluate(system, {**values, **first, **{key: value[0] for key, value in smaller.items()}})
    agree(again["C"][0], expected["C"], dtype)


def derived(system: System) -> tuple[str, ...]:
    return tuple(equation.name for equation in system.equations if equation.name.startswith("∂"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_open_batch(backend: str) -> None:
    """The same code serves another batch size."""
    system = training_step(NETWORKS["dense"], SGD)
    values, state, steps = example(system, 2, 4)
    program = compile(system, ("C",), backend=backend)
    program.run(values, dict(state), steps)
    before = program.source
    program.run(values, dict(state), {"rows": steps["rows"][:, :2], "η": steps["η"]})
    assert program.source is before or program.source == before
