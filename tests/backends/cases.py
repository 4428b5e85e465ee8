"""Systems that every backend must compute as the evaluator does: name → text and the shapes of what it reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.equations.system import System

TOLERANCE = {"float64": 1e-11, "float32": 2e-5}


def example(system: System, shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, Any]:
    """Values for what a system reads."""
    random = np.random.default_rng(seed)
    values: dict[str, Any] = {}
    for tensor in system.inputs:
        if tensor.name in shapes:
            shape = shapes[tensor.name]
            if tensor.role == "integer":
                values[tensor.name] = random.integers(0, 4, shape)
            else:
                values[tensor.name] = random.normal(size=shape)
    if "y" in values and system.input_by_name["y"].role == "data":
        values["y"] = np.abs(values["y"]) + 0.1
    return values


def split(system: System, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values of data, and those of parameters and states."""
    state = {t.name for t in system.inputs if t.role in ("parameter", "state")}
    return {n: v for n, v in values.items() if n not in state}, {n: v for n, v in values.items() if n in state}


def agree(found: Any, expected: Any, dtype: str, tolerance: float | None = None) -> None:
    """Equal to the evaluator's, within rounding."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    if expected.dtype.kind == "i" and found.dtype.kind == "i":
        assert (found == expected).all()
        return
    scale = max(1.0, float(np.abs(expected[np.isfinite(expected)]).max(initial=0)))
    tolerance = tolerance or TOLERANCE[dtype]
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * scale)


DENSE = """
data x[b,i], y[b,k]
parameter W1[i,j], β1[j], W2[j,k], β2[k]
z1[b,j] = sum[i](x[b,i]*W1[i,j]) + β1[j]
a1[b,j] = sigmoid(z1[b,j])
z2[b,k] = sum[j](a1[b,j]*W2[j,k]) + β2[k]
a2[b,k] = sigmoid(z2[b,k])
C = sum[b,k]((a2[b,k] - y[b,k])^2)/(2*size(b))
"""

CASES: dict[str, tuple[str, dict[str, tuple[int, ...]]]] = {
    "dense": (DENSE, {"x": (4, 3), "y": (4, 2), "W1": (3, 5), "β1": (5,), "W2": (5, 2), "β2": (2,)}),
    "softmax": (
        """
        data s[b,k]
        integer t[b]
        p[b,k] = exp(s[b,k] - logsumexp[k'](s[b,k']))
        q[b,k] = p[b,k] - [k = t[b]]
        C = sum[b](logsumexp[k](s[b,k]) - s[b,t[b]])/size(b)
        accuracy = sum[b]([argmax[k](s[b,k]) = t[b]])/size(b)
        """,
        {"s": (4, 5), "t": (4,)},
    ),
    "side_by_side": (
        """
        axis k = size(i) + size(j)
        data u[b,i], v[b,j], w[b,k]
        a[b,k] = u[b,k] + v[b,k - size(i)]
        C = sum[b,k](a[b,k]*w[b,k])
        """,
        {"u": (2, 3), "v": (2, 4), "w": (2, 7)},
    ),
    "convolution": (
        """
        axis p = (size(h) - size(u))//2 + 1, q = (size(w) - size(v) + 2)//1 + 1
        data x[b,c,h,w]
        parameter W[o,c,u,v]
        z[b,o,p,q] = sum[c,u,v](x[b,c,2*p + u,q + v - 1]*W[o,c,u,v])
        y[b,j] = sum[o,p,q](z[b,o,p,q]*D[o,p,q,j])
        data D[o,p,q,j]
        """,
        {"x": (2, 3, 7, 6), "W": (4, 3, 3, 2), "D": (4, 3, 7, 2)},
    ),
    "dilated": (
        """
        axis p = size(h)
        data x[b,h]
        parameter W[u]
        z[b,p] = sum[u](x[b,p - 2*u]*W[u])
        d[b,h] = sum[p](z[b,p]*W[p - h])
        """,
        {"x": (2, 9), "W": (3,)},
    ),
    "convolution adjoints": (
        """
        axis p = (size(h) - size(u) + 2)//2 + 1, q = (size(w) - size(v) + 2)//1 + 1
        data x[b,c,h,w], d[b,o,p,q]
        parameter W[o,c,u,v]
        g[o,c,u,v] = sum[b,p,q](d[b,o,p,q]*x[b,c,2*p + u - 1,q + v - 1])
        e[b,c,h,w] = sum[o,p,q](d[b,o,p,q]*W[o,c,h - 2*p + 1,w - q + 1]*[0 <= h - 2*p + 1 < size(u)])
        f[b,c,h] = sum[o,p](d[b,o,p,0]*[0 <= h - 2*p + 1 < size(u)]*W[o,c,1,1])
        """,
        {"x": (2, 3, 8, 9), "d": (2, 4, 4, 9), "W": (4, 3, 3, 3)},
    ),
    "pools": (
        """
        axis p = size(h)//2, q = size(w)//2, u = 2, v = 2
        data x[b,c,h,w], d[b,c,p,q]
        m[b,c,p,q] = max[u,v](x[b,c,2*p + u,2*q + v])
        a[b,c,p,q] = sum[u,v](x[b,c,2*p + u,2*q + v])/(size(u)*size(v))
        e[b,c,h,w] = sum[p,q](d[b,c,p,q]*[h - 2*p = argmax[u](max[v](x[b,c,2*p + u,2*q + v]))]
                     *[w - 2*q = argmax[v](x[b,c,h,2*q + v])])
        g[b,c,h,w] = sum[p,q](d[b,c,p,q]*[0 <= h - 2*p < size(u)]*[0 <= w - 2*q < size(v)])/4
        """,
        {"x": (2, 3, 8, 6), "d": (2, 3, 4, 3)},
    ),
    "embedding": (
        """
        axis v = 300
        integer token[b,t]
        parameter E[v,d]
        data g[b,t,d], s[b,t]
        e[b,t,d] = E[token[b,t],d]
        a[v,d] = sum[b,t](g[b,t,d]*[v = token[b,t]])
        c[b,v] = sum[t](s[b,t]*[v = token[b,t]])
        """,
        {"token": (3, 4), "E": (300, 5), "g": (3, 4, 5), "s": (3, 4)},
    ),
    "few words": (
        """
        integer token[b]
        parameter E[v,d]
        data g[b,d]
        e[b,d] = E[token[b],d]
        a[v,d] = sum[b](g[b,d]*[token[b] = v])
        """,
        {"token": (6,), "E": (7, 5), "g": (6, 5)},
    ),
    "recurrence": (
        """
        data x[b,t,i], h0[b,k]
        parameter W[i,k], U[k',k]
        h[b,t,k] = tanh(sum[i](x[b,t,i]*W[i,k]) + sum[l](h[b,t-1,l]*U[l,k]) + [t = 0]*h0[b,k])
        """,
        {"x": (2, 5, 3), "h0": (2, 4), "W": (3, 4), "U": (4, 4)},
    ),
    "recurrence backwards": (
        """
        data h[b,t,k], g[b,t,k]
        parameter U[k',k]
        e[b,t,k] = g[b,t,k] + sum[k'](e[b,t + 1,k']*(1 - h[b,t + 1,k']^2)*U[k,k'])
        f[b,t] = f[b,t + 2]*0.5 + h[b,t,0]
        """,
        {"h": (2, 5, 4), "g": (2, 5, 4), "U": (4, 4)},
    ),
    "recurrence with far reads": (
        """
        axis d = 3
        data x[t], w[d]
        y[t] = x[t] + sum[d](w[d]*y[t - 1 - d])
        """,
        {"x": (8,), "w": (3,)},
    ),
    "lstm": (
        """
        axis g = 4
        data x[b,t,i]
        parameter W[i,g,k], U[k',g,k], β[g,k]
        z[b,t,g,k] = sum[i](x[b,t,i]*W[i,g,k]) + sum[l](h[b,t-1,l]*U[l,g,k]) + β[g,k]
        c[b,t,k] = sigmoid(z[b,t,1,k])*c[b,t-1,k] + sigmoid(z[b,t,0,k])*tanh(z[b,t,2,k])
        h[b,t,k] = sigmoid(z[b,t,3,k])*tanh(c[b,t,k])
        last[b,k] = h[b,size(t) - 1,k]
        """,
        {"x": (2, 5, 3), "W": (3, 4, 4), "U": (4, 4, 4), "β": (4, 4)},
    ),
    "alignment": (
        """
        integer label[s]
        data y[t,k]
        α[t,s] = where([t = 0], [s <= 1]*y[t,label[s]],
                       (α[t-1,s] + α[t-1,s-1] + α[t-1,s-2]*[label[s] != label[s-2]])*y[t,label[s]])
        """,
        {"label": (5,), "y": (6, 4)},
    ),
    "attention": (
        """
        data x[b,t,d]
        parameter Q[d,h,e], K[d,h,e], V[d,h,e], O[h,e,d]
        q[b,h,t,e] = sum[d](x[b,t,d]*Q[d,h,e])
        k[b,h,t,e] = sum[d](x[b,t,d]*K[d,h,e])
        v[b,t,h,e] = sum[d](x[b,t,d]*V[d,h,e])
        s[b,h,t,r] = where([r <= t], sum[e](q[b,h,t,e]*k[b,h,r,e])/sqrt(size(e)), -∞)
        w[b,h,t,r] = exp(s[b,h,t,r] - logsumexp[r'](s[b,h,t,r']))
        o[b,t,h,e] = sum[r](w[b,h,t,r]*v[b,r,h,e])
        y[b,t,d] = x[b,t,d] + sum[h,e](o[b,t,h,e]*O[h,e,d])
        axis r = size(t)
        """,
        {"x": (2, 5, 4), "Q": (4, 2, 3), "K": (4, 2, 3), "V": (4, 2, 3), "O": (2, 3, 4)},
    ),
    "normalisation": (
        """
        data x[b,d]
        parameter γ[d], β[d]
        μ[b] = sum[d](x[b,d])/size(d)
        s2[b] = sum[d]((x[b,d] - μ[b])^2)/size(d)
        y[b,d] = γ[d]*(x[b,d] - μ[b])*rsqrt(s2[b] + 1e-5) + β[d]
        m[d] = sum[b](x[b,d])/size(b)
        n[b,d] = (x[b,d] - m[d])/sqrt(sum[b']((x[b',d] - m[d])^2)/size(b) + 0.00001)
        """,
        {"x": (6, 4), "γ": (4,), "β": (4,)},
    ),
    "positions": (
        """
        data x[i,j]
        integer r[i], n
        d[i] = x[i,i]
        f[i,j] = x[size(i) - 1 - i,j]
        e[i] = x[i//2,i%3]
        g[i,j] = x[r[i] + 1,j]
        h[i,j] = x[r[i],j - 1]
        k[i] = x[r[i],r[i]]
        l[j] = x[n,j]
        o[i,j] = x[i + 1,j - 2]
        p[i,j] = x[2,j]*i
        q[j,i] = x[n + i,j]
        s[i] = x[2*i - j', i]*1
        t[j] = sum[i](x[i,j]*[i + j <= 3]*[i <= 2])
        """.replace("s[i] = x[2*i - j', i]*1", "s[i] = sum[j'](x[2*i - j',i])"),
        {"x": (5, 5), "r": (5,), "n": ()},
    ),
    "integers": (
        """
        integer n[i]
        m[i] = n[i]*2 + i - 1
        best = max[i](n[i])
        where_best = argmax[i](n[i])
        c[i] = sum[i']([n[i'] < n[i]])
        r[i] = c[i]/2 + exp(n[i]) + i*0.5
        s = sum[i]([n[i] > 1]*[n[i] < 4])
        u[i] = where([n[i] > 1], 1, 0.25)
        v[i] = where([i > 1], 3, i)
        w[i] = 0.1*[n[i] > 2]
        y = sum[i](0.5)
        k = size(i)*2
        a[i,j] = [n[i] = j] + 1
        axis j = 4
        """,
        {"n": (5,)},
    ),
    "functions": (
        """
        data x[i], y[i]
        a[i] = exp(x[i]) + expm1(x[i])*log(y[i]) - log1p(y[i])/sqrt(y[i]) + rsqrt(y[i])
        b[i] = abs(x[i])*sign(x[i]) + floor(x[i]) + sin(x[i])*cos(x[i])
        c[i] = tanh(x[i]) + sigmoid(x[i])*softplus(x[i]) - erf(x[i]) + relu(x[i])
        d[i] = max(x[i], 0.1) - min(y[i], x[i]) + logaddexp(x[i], y[i])
        e[i] = y[i]^x[i] + x[i]^2 - -x[i]^3 + y[i]^0.5 + 2^x[i]
        f[i] = where([x[i] > 0], x[i], 0.01*x[i]) + [0 <= x[i] < 1]
        g[i] = sqrt(2/π)*x[i]*(1 - (1 - x[i]))/2/3
        h = sum[i](x[i]*[x[i] > 0]*log(x[i]))
        j[i] = max[i'](x[i'])*min[i'](y[i']) - logsumexp[i'](x[i]*y[i'])
        k[i] = -(x[i] + y[i])*x[i]
        """,
        {"x": (6,), "y": (6,)},
    ),
    "shapes": (
        """
        data x[a,b,c], y[c,a], z[b], w[d,c,a]
        p[c,b,a] = x[a,b,c]*y[c,a] + z[b]
        q[b] = sum[a,c](x[a,b,c]*y[c,a])
        r[d,b] = sum[a,c](x[a,b,c]*w[d,c,a])
        s[a,d,b] = sum[c](x[a,b,c]*w[d,c,a])
        t[a,b] = sum[c,d](x[a,b,c]*w[d,c,a]*z[b]*y[c,a])
        u = sum[a,b,c](x[a,b,c])
        v[d] = sum[a,c](w[d,c,a])*2/size(a)
        g[b,d] = sum[a](y[0,a]*z[b])
        h[a,b] = 1
        k[a,b] = h[a,b]*x[a,b,0]
        l[a,b] = h[a,b-1] + k[a-1,b]
        m[b,a] = sum[c,c'](x[a,b,c]*x[a,b,c']*y[c,a]*y[c',a])
        n[a,d,b] = sum[c](x[a,b,c]*exp(w[d,c,a])/y[c,a])
        o[a,b] = sum[c](x[a,b,c]*y[c,a] + w[0,c,a])
        """,
        {"x": (2, 3, 4), "y": (4, 2), "z": (3,), "w": (5, 4, 2)},
    ),
    "strong zero": (
        """
        data x[i]
        integer n[i]
        a[i] = [x[i] > 0]*log(x[i])
        b[i] = sum[j]([i != j]*1/(i - j)*x[j])
        c = sum[i]([x[i] > 0]*sqrt(x[i]))
        d[i] = 2*[x[i] > 0]/x[i]
        """.replace("sum[j]([i != j]*1/(i - j)*x[j])", "sum[j]([i != j]*(1/(i - j))*x[j])"),
        {"x": (5,), "n": (5,)},
    ),
}
