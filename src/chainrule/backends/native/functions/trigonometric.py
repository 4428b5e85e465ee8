"""Sine and cosine.  An argument is taken apart into quarter turns and a rest, |rest| <= π/4.

Moderate arguments: Cody and Waite, *Software Manual for the Elementary Functions* (1980), with π/2 in several parts;
for float in double lanes.  Great ones: Payne and Hanek, "Radian reduction for trigonometric functions" (SIGNUM 1983):
the product with those bits of 2/π that matter, in integers, lane by lane, only where there is such a lane.  The
polynomials are minimax for the relative error of the result (Remez exchange).
"""

from __future__ import annotations

import math

from chainrule.backends.native.functions.lanes import FORMATS, Lanes
from chainrule.backends.native.ir import Function, Value

# Arguments up to this are moderate: the quarter turns, 20 bits, times a part of π/2, 33 bits, are exact.
MODERATE = 2.0**20

# π/2: two parts of 33 bits, the rest; for float, one part of 33 bits, the rest
HALF_PI = {
    "float": (1.5707963267341256, 6.077100506506192e-11),
    "double": (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21),
}

# (sin(r) - r)/r³ in r²
SINE = {
    "float": (-0.1666666664142652, 0.008333329362280513, -0.00019839327136612057, 2.7182372772933687e-06),
    "double": (
        -0.16666666666666666,
        0.008333333333333323,
        -0.0001984126984125499,
        2.7557319214148863e-06,
        -2.505210490054164e-08,
        1.6058365193379357e-10,
        -7.578625499224196e-13,
    ),
}

# (cos(r) - 1 + r²/2)/r⁴ in r²
COSINE = {
    "float": (0.04166666662247718, -0.0013888883722619873, 2.4799511761232635e-05, -2.72095474789743e-07),
    "double": (
        0.0416666666666666,
        -0.001388888888887399,
        2.4801587289394916e-05,
        -2.7557314326027543e-07,
        2.0875719558248754e-09,
        -1.1359448655656607e-11,
    ),
}

# 2/π in binary, after the point, with a word of zeros before it
TWO_OVER_PI = (
    "0000000000000000 a2f9836e4e441529 fc2757d1f534ddc0 db6295993c439041 fe5163abdebbc561 b7246e3a424dd2e0 "
    "06492eea09d1921c fe1deb1cb129a73e e88235f52ebb4484 e99c7026b45f7e41 3991d639835339f4 9c845f8bbdf9283b "
    "1ff897ffde05980f ef2f118b5a0a6d1f 6d367ecf27cb09b7 4f463f669e5fea2d 7527bac7ebe5f17b 3d0739f78a5292ea "
    "6bfb5fb11f8d5d08 56033046fc7b6bab f0cfbc209af4361d a9e391615ee61b08"
)

# π/4, of which the unit is 2^-64
QUARTER_PI = 0xC90FDAA22168C235


def sin(x: Lanes) -> Lanes:
    """The sine of |x|, with the sign of x; 2 ULP."""
    quarters, rest = reduce(abs(x))
    return turned(quarters, sine(rest), cosine(rest)).with_sign(x.sign_bit)


def cos(x: Lanes) -> Lanes:
    """The sine of a quarter turn more; 2 ULP."""
    quarters, rest = reduce(abs(x))
    return turned(quarters + 1, sine(rest), cosine(rest))


def sine(r: Lanes) -> Lanes:
    """sin(r) for |r| <= π/4."""
    square = r * r
    return (square * r).times_plus(square.polynomial(SINE[r.format.element]), r)


def cosine(r: Lanes) -> Lanes:
    """cos(r) for |r| <= π/4."""
    square = r * r
    return (square * square).times_plus(square.polynomial(COSINE[r.format.element]), square.times_plus(-0.5, 1.0))


def turned(quarters: Lanes, sine: Lanes, cosine: Lanes) -> Lanes:
    """sin(quarters·π/2 + r) from the sine and cosine of r."""
    odd = (quarters & 1).compare("ne", 0)
    below = (quarters & 2) << (30 if sine.value.element == "float" else 62)
    return odd.choose(cosine, sine).with_sign(below)


def reduce(x: Lanes) -> tuple[Lanes, Lanes]:
    """Quarter turns (their two lowest bits count) and the rest of x >= 0."""
    wide = x.cast("fpext", "double") if x.value.element == "float" else x
    turns = wide.times_plus(2 / math.pi, wide.format.rounder)
    quarters, k, rest = turns.bits, turns - wide.format.rounder, wide
    for part in HALF_PI[x.value.element]:
        rest = k.times_plus(-part, rest)
    quarters, rest = _great(wide, (x > MODERATE) & (x < math.inf), quarters, rest)
    if x.value.element == "float":
        return quarters.cast("trunc", "i32"), rest.cast("fptrunc", "float")
    return quarters, rest


def _great(x: Lanes, great: Lanes, quarters: Lanes, rest: Lanes) -> tuple[Lanes, Lanes]:
    """The reduction of Payne and Hanek in the lanes that are ``great``; code that is jumped over if there is none."""
    f, lanes = x.f, x.value.lanes
    name = _payne_hanek(f)
    some = great.value
    if lanes > 1:
        some = f.intrinsic("llvm.vector.reduce.or", "i1", some, overload=some.type)
    before, then, end = f.segment.label, f.fresh("great"), f.fresh("end")
    f.line(f"br i1 {some.text}, label %{then}, label %{end}")
    f.label(then)
    arguments = great.choose(x, MODERATE).value
    count, remainder = Value(quarters.value.type, "poison"), Value(rest.value.type, "poison")
    for lane in range(lanes):
        argument = arguments if lanes == 1 else f.extract(arguments, lane)
        both = f.value("{ i64, double }", f"call {{ i64, double }} @{name}({argument})")
        one, other = f.value("i64", f"extractvalue {both}, 0"), f.value("double", f"extractvalue {both}, 1")
        count = one if lanes == 1 else f.insert(count, one, lane)
        remainder = other if lanes == 1 else f.insert(remainder, other, lane)
    count, remainder = f.select(great.value, count, quarters.value), f.select(great.value, remainder, rest.value)
    f.line(f"br label %{end}")
    f.label(end)
    merged = [
        x.of(
            f.value(
                fast.value.type, f"phi {fast.value.type} [ {fast.value.text}, %{before} ], [ {slow.text}, %{then} ]"
            )
        )
        for fast, slow in ((quarters, count), (rest, remainder))
    ]
    return merged[0], merged[1]


def _payne_hanek(caller: Function) -> str:
    """The function of the module that reduces one double >= 2^20: its name.

    x = m·2^e with an integer m.  Of 2^(e - 2)·2/π, bits before the point give whole turns with m; the 192 bits after
    it times m give the turn, a fraction of 2^128, with more than 60 bits right when 2^-62 of it is left.
    """
    name = "reduce_great_argument"
    module = caller.module
    if name in module.functions:
        return name
    words = [int.from_bytes(bytes.fromhex(word), signed=True) for word in TWO_OVER_PI.split()]
    listed = ", ".join(f"i64 {word}" for word in words)
    table = module.constant("two_over_pi", f"[{len(words)} x i64]", f"[{listed}]")
    f = Function(module, name, [("double", "x")], "{ i64, double }")
    double = FORMATS["double"]

    def i64(value: int) -> Value:
        return Value("i64", str(value))

    def wide(value: Value) -> Value:
        return f.cast("zext", value, "i128")

    def i128(value: int) -> Value:
        return Value("i128", str(value))

    bits = f.cast("bitcast", f.arguments[0], "i64")
    m = f.binary("or", f.binary("and", bits, i64((1 << 52) - 1)), i64(1 << 52))
    # the place in the table: e - 2 = exponent - bias - 54, after 64 zeros
    place = f.sub(f.binary("lshr", bits, i64(52)), i64(double.bias + double.mantissa + 2 - 64))
    first, shift = f.binary("lshr", place, i64(6)), f.binary("and", place, i64(63))
    loaded = [f.load("i64", f.pointer(table, "i64", f.binary("add", first, i64(n)))) for n in range(4)]
    w = [f.intrinsic("llvm.fshl", "i64", loaded[n], loaded[n + 1], shift) for n in range(3)]
    high = f.binary("shl", wide(f.binary("mul", m, w[0])), i128(64))
    middle = f.binary("mul", wide(m), wide(w[1]))
    low = f.binary("lshr", f.binary("mul", wide(m), wide(w[2])), i128(64))
    turn = f.binary("add", f.binary("add", high, middle), low)
    quarters = f.cast("trunc", f.binary("lshr", f.binary("add", turn, i128(1 << 125)), i128(126)), "i64")
    rest = f.binary("sub", turn, f.binary("shl", wide(quarters), i128(126)))
    # the rest as a double: its magnitude with the leading zeros taken away
    negative = f.compare("slt", rest, i128(0))
    magnitude = f.select(negative, f.binary("sub", i128(0), rest), rest)
    zeros = f.value("i128", f"call i128 @llvm.ctlz.i128({magnitude}, i1 false)")
    module.declare("llvm.ctlz.i128", "i128", ["i128", "i1"])
    top = f.cast("trunc", f.binary("lshr", f.binary("shl", magnitude, zeros), i128(64)), "i64")
    # times π/4 as an integer over 2^64, so that there is one rounding
    product = f.binary("lshr", f.binary("mul", wide(top), i128(QUARTER_PI)), i128(64))
    exponent = f.binary("sub", i64(double.bias - 61), f.cast("trunc", zeros, "i64"))
    scale = f.cast("bitcast", f.binary("shl", exponent, i64(double.mantissa)), "double")
    radians = f.mul(f.cast("uitofp", f.cast("trunc", product, "i64"), "double"), scale)
    result = f.select(negative, f.neg(radians), radians)
    pair = f.value("{ i64, double }", f"insertvalue {{ i64, double }} poison, {quarters}, 0")
    f.ret(f.value("{ i64, double }", f"insertvalue {pair}, {result}, 1"))
    return module.add(f)
