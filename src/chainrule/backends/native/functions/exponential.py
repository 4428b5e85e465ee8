"""Exponentials, logarithms and powers.

exp: Cody and Waite, *Software Manual for the Elementary Functions* (1980): x = k·ln 2 + r with ln 2 in two parts, and
e^x = 2^k·e^r.  log: x = 2^e·(1 + f) with sqrt(1/2) <= 1 + f < sqrt(2).  The polynomials are minimax for the relative
error of the result (Remez exchange).
"""

from __future__ import annotations

import math

from chainrule.backends.native.functions.elementary import floor
from chainrule.backends.native.functions.lanes import Lanes, two_product, two_sum

INFINITY, NAN = math.inf, math.nan

# ln 2 in two parts, of which k·high is exact for every exponent k
LN2 = {"float": (0.693359375, -2.12194440054690583e-4), "double": (0.6931471805598903, 5.497923018708371e-14)}

# (e^r - 1 - r)/r² for |r| <= ln(2)/2
EXP = {
    "float": (
        0.5000000044547884,
        0.16666666377283407,
        0.041666359217742706,
        0.00833338674647031,
        0.0013940768151168646,
        0.00019847914644047443,
    ),
    "double": (
        0.5,
        0.16666666666666677,
        0.04166666666666651,
        0.00833333333332157,
        0.0013888888888959835,
        0.0001984126988631615,
        2.480158717886185e-05,
        2.755724398342268e-06,
        2.7557396147542175e-07,
        2.5109127241554637e-08,
        2.0877665775367246e-09,
    ),
}

# log(1 + f) = f - f²/2 + f³·q(f)
LOG_FLOAT = (
    0.3333331260410779,
    -0.2500000959918351,
    0.2000211865629727,
    -0.16667995863674903,
    0.14219552410749253,
    -0.12405588783149246,
    0.11888161807102313,
    -0.11675652441935395,
    0.06746642220677938,
)

# 2·artanh(s) = 2s + s³·q(s²) with s = f/(2 + f)
LOG_DOUBLE = (
    0.6666666666666735,
    0.399999999994128,
    0.2857142874288796,
    0.22222198513815564,
    0.1818356780883594,
    0.1531395173508997,
    0.14797031610753733,
)

# 2·artanh(s) = 2s + 2s³/3 + s⁵·q(s²)
LOG_PRECISE = (
    0.4000000000000227,
    0.28571428570091895,
    0.22222222521353505,
    0.18181784237103138,
    0.1538676352814444,
    0.13256668930358825,
    0.1319774922005876,
)

# as LOG_DOUBLE and EXP, for results that are rounded to float
LOG_POWER = (0.6666666667581507, 0.3999999561497904, 0.28572110088898484, 0.22176141846566666, 0.1958493349321646)
EXP_POWER = EXP["float"]


def reduced(x: Lanes) -> tuple[Lanes, Lanes]:
    """k and r of x = k·ln 2 + r, |r| <= ln(2)/2."""
    high, low = LN2[x.format.element]
    k = x.rounded(1 / math.log(2))
    return k, k.times_plus(-low, k.times_plus(-high, x))


def reduced_expm1(r: Lanes) -> Lanes:
    """e^r - 1 for |r| <= ln(2)/2."""
    return (r * r).times_plus(r.polynomial(EXP[r.format.element]), r)


def scaled(x: Lanes, k: Lanes) -> Lanes:
    """x·2^k in two steps, since 2^k itself may be too great or too small; rounded once where it is subnormal."""
    half = k.rounded(0.5)
    return x * half.power_of_two() * (k - half).power_of_two()


def exp(x: Lanes) -> Lanes:
    """Cody and Waite; 1 ULP for float, 1.05 for double."""
    low, high = (-104.0, 89.0) if x.format.element == "float" else (-746.0, 710.0)
    k, r = reduced(x.at_least(low).at_most(high))
    return scaled(reduced_expm1(r) + 1.0, k)


def moderate_exp(x: Lanes) -> Lanes:
    """exp for arguments whose result is a normal number and less than 2^bias."""
    k, r = reduced(x)
    return (reduced_expm1(r) + 1.0) * k.power_of_two()


def near_zero(x: Lanes, result: Lanes) -> Lanes:
    """x where it is so small that f(x) = x rounded: subnormal numbers and -0 are kept."""
    return (abs(x) < 2.0 ** -(x.format.mantissa + 3)).choose(x, result)


def expm1(x: Lanes) -> Lanes:
    """2^k·(e^r - 1) + (2^k - 1), halved so that k may be bias + 1, the small term added last; 2 ULP."""
    low, high = (-25.0, 89.0) if x.format.element == "float" else (-50.0, 710.0)
    k, r = reduced(x.at_least(low).at_most(high))
    half = (k - 1.0).power_of_two()
    curved = r * r * r.polynomial(EXP[r.format.element])
    return near_zero(x, half.times_plus(curved, half.times_plus(r, half - 0.5)) * 2.0)


def split(x: Lanes) -> tuple[Lanes, Lanes]:
    """e and m of x = 2^e·m, sqrt(1/2) <= m < sqrt(2), for positive finite x."""
    # A subnormal number is made normal first.
    raised = x.format.mantissa + 2.0
    small = x < x.format.smallest_normal
    e, m = split_normal(small.choose(x * 2.0**raised, x))
    return e - small.choose(e.constant(raised), 0.0), m


def split_normal(x: Lanes) -> tuple[Lanes, Lanes]:
    """The same for numbers that are not subnormal."""
    format = x.format
    biased = x.bits + (format.pattern(0, 0) - format.root_half)
    m = ((biased & ((1 << format.mantissa) - 1)) + format.root_half).real
    # The exponent with its bias stands in the last places of 2^mantissa + e + bias.
    e = ((biased >> format.mantissa) | format.pattern(0, format.mantissa)).real
    return e - (2.0**format.mantissa + format.bias), m


def log1p_tail(f: Lanes) -> Lanes:
    """log(1 + f) - f for sqrt(1/2) <= 1 + f < sqrt(2): a polynomial for float; for double that of
    2·artanh(f/(2 + f)), as in Sun's fdlibm (1993)."""
    half_square = f * f * 0.5
    if f.format.element == "float":
        return (f * f * f).times_plus(f.polynomial(LOG_FLOAT), -half_square)
    s = f / (f + 2.0)
    z = s * s
    return s.times_plus(z.times_plus(z.polynomial(LOG_DOUBLE), half_square), -half_square)


def log_sum(e: Lanes, f: Lanes) -> Lanes:
    """log(2^e·(1 + f)), the small terms first."""
    high, low = LN2[f.format.element]
    return e.times_plus(high, f + e.times_plus(low, log1p_tail(f)))


def log_limits(x: Lanes, result: Lanes, pole: float) -> Lanes:
    """The logarithm at its pole, below it, at infinity and of what is not a number."""
    result = (x < INFINITY).choose(result, x)
    return (x > pole).choose(result, x.equals(pole).choose(x.constant(-INFINITY), NAN))


def log(x: Lanes) -> Lanes:
    """e·ln 2 + log(1 + f); 1 ULP."""
    e, m = split(x)
    return log_limits(x, log_sum(e, m - 1.0), 0.0)


def log1p(x: Lanes) -> Lanes:
    """log(u) with u = 1 + x rounded, and what the rounding lost put back into f; 1.5 ULP."""
    u = x + 1.0
    e, m = split_normal(u)
    lost = x - (u - 1.0)
    f = (x < 2.0 ** (x.format.mantissa + 2)).choose(lost.times_plus((-e).power_of_two(), m - 1.0), m - 1.0)
    return log_limits(x, near_zero(x, log_sum(e, f)), -1.0)


def unit_log1p(t: Lanes) -> Lanes:
    """log(1 + t) for 0 <= t <= 1."""
    large = t > math.sqrt(2) - 1
    e = large.choose(t.constant(1.0), 0.0)
    return log_sum(e, large.choose(t.times_plus(0.5, -0.5), t))


def softplus(x: Lanes) -> Lanes:
    """max(x, 0) + log(1 + e^-|x|), accurate also where the result is tiny; 2 ULP."""
    return unit_log1p(exp(-abs(x))) + x.at_least(0.0)


def logaddexp(x: Lanes, y: Lanes) -> Lanes:
    """max(x, y) + log(1 + e^-|x - y|); 2 ULP of the greater of |max(x, y)| and ln 2 (the sum may cancel)."""
    greater = (x > y).choose(x, y)
    # Equal arguments may be infinite.
    distance = x.equals(y).choose(x.constant(0.0), abs(x - y))
    return greater + unit_log1p(exp(-distance))


def power(x: Lanes, y: Lanes) -> Lanes:
    """e^(y·log |x|) with the logarithm to more than the bits of the format, then the cases of C99 (Annex F.9.4.4);
    0.51 ULP for float, 1 ULP for double."""
    magnitude = abs(x)
    bounded = y.at_least(-(2.0**65)).at_most(2.0**65)
    r = (_power_float if x.format.element == "float" else _power_double)(magnitude, bounded)
    ends = magnitude.equals(0.0) | magnitude.equals(INFINITY)
    vanishes = magnitude.equals(0.0) ^ (y < 0.0)
    r = ends.choose(vanishes.choose(x.constant(0.0), INFINITY), r)
    half = y * 0.5
    integral = y.equals(floor(y))
    odd = integral & half.compare("une", floor(half))
    r = r.with_sign(odd.choose(x.sign_bit, 0))
    r = ((x < 0.0) & (x > -INFINITY)).choose(integral.choose(r, NAN), r)
    r = x.unordered(y).choose(x.constant(NAN), r)
    return (y.equals(0.0) | x.equals(1.0)).choose(x.constant(1.0), r)


def _power_float(x: Lanes, y: Lanes) -> Lanes:
    """x^y for positive finite x, in double lanes."""
    x, y = x.cast("fpext", "double"), y.cast("fpext", "double")
    e, m = split(x)
    f = m - 1.0
    s = f / (f + 2.0)
    z = s * s
    logarithm = e.times_plus(math.log(2), s * z.times_plus(z.polynomial(LOG_POWER), 2.0))
    k, r = reduced((y * logarithm).at_least(-200.0).at_most(200.0))
    result = ((r * r).times_plus(r.polynomial(EXP_POWER), r) + 1.0) * k.power_of_two()
    return result.cast("fptrunc", "float")


def _power_double(x: Lanes, y: Lanes) -> Lanes:
    """x^y for positive finite x: the logarithm as a sum of two doubles, right to about 2^-65."""
    e, m = split(x)
    f = m - 1.0
    # s = f/(2 + f)
    d, d_low = two_sum(f.constant(2.0), f)
    s = f / d
    back, back_low = two_product(s, d)
    s_low = ((f - back) - back_low - s * d_low) / d
    # u = s²·(2/3 + s²·q(s²))
    z, z_low = two_product(s, s)
    z_low = z_low + s * s_low * 2.0
    w, w_low = two_sum(f.constant(2 / 3), z * z.polynomial(LOG_PRECISE))
    w_low = w_low + 3.700743415417188e-17  # 2/3 has more bits than fit
    u, u_low = two_product(z, w)
    u_low = u_low + z * w_low + z_low * w
    # log(1 + f) = s·(2 + u)
    v, v_low = two_sum(f.constant(2.0), u)
    v_low = v_low + u_low
    part, part_low = two_product(s, v)
    part_low = part_low + s * v_low + s_low * v
    high, low = LN2["double"]
    logarithm, logarithm_low = two_sum(e * high, part)
    logarithm_low = logarithm_low + (e * low + part_low)
    # y·log x = k·ln 2 + r
    product, product_low = two_product(y, logarithm)
    product_low = product_low + y * logarithm_low
    product = product.at_least(-750.0).at_most(750.0)
    k = product.rounded(1 / math.log(2))
    exact = k.times_plus(-high, product)
    r, r_low = two_sum(exact, k.times_plus(-low, product_low.at_least(-0.5).at_most(0.5)))
    tail = (r * r).times_plus(r.polynomial(EXP["double"]), r_low.times_plus(r, r_low))
    return scaled((r + tail) + 1.0, k)
