"""The catalogue of scalar functions: one row each, every form of the function side by side.

``derivatives`` are written in the language itself, in the arguments ``x``, ``y``, ``w`` (in this order); an empty
tuple means that the function is constant wherever it has a derivative.  ``latex`` and ``numpy`` are templates over
the arguments already written in that form; the notation and the backends put in parentheses where they are needed.
``total`` says that finite arguments give a finite value, so that a factor of zero may be multiplied in freely.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Function:
    name: str
    arity: int | None  # None: any number of arguments
    derivatives: tuple[str, ...]
    latex: str
    numpy: str
    total: bool = True
    integer: bool = False  # integer arguments give an integer


def _unary(name: str, derivative: str, latex: str, numpy: str, total: bool = True) -> Function:
    return Function(name, 1, (derivative,) if derivative else (), latex, numpy, total)


def _comparison(name: str, latex: str, numpy: str) -> Function:
    return Function(name, 2, (), latex, numpy, integer=True)


# fmt: off  (a table, one row a function)
_ROWS = (
    # arithmetic; the n-ary derivatives of + and * are the sum and product rules of calculus/reverse.py
    Function("+", None, ("1", "1"), "{0} + {1}", "{0} + {1}", integer=True),
    Function("*", None, ("y", "x"), r"{0} \cdot {1}", "{0} * {1}", integer=True),
    Function("neg", 1, ("-1",), "-{0}", "-{0}", integer=True),
    Function("/", 2, ("1/y", "-x/y^2"), r"\frac{{{0}}}{{{1}}}", "{0} / {1}", total=False),
    Function("^", 2, ("y*x^(y - 1)", "[x != 0]*x^y*log(x)"), "{{{0}}}^{{{1}}}", "{0} ** {1}", total=False),
    Function("//", 2, (), r"\lfloor {0} / {1} \rfloor", "{0} // {1}", total=False, integer=True),
    Function("%", 2, (), r"{0} \bmod {1}", "{0} % {1}", total=False, integer=True),
    # comparisons: the Iverson bracket, 1 where true and 0 where false
    _comparison("=", "[{0} = {1}]", "({0} == {1})"),
    _comparison("!=", r"[{0} \ne {1}]", "({0} != {1})"),
    _comparison("<", "[{0} < {1}]", "({0} < {1})"),
    _comparison("<=", r"[{0} \le {1}]", "({0} <= {1})"),
    _comparison(">", "[{0} > {1}]", "({0} > {1})"),
    _comparison(">=", r"[{0} \ge {1}]", "({0} >= {1})"),
    Function("<=<", 3, (), r"[{0} \le {1} < {2}]", "(({0} <= {1}) & ({1} < {2}))", integer=True),
    # choice; the derivative with respect to the condition is zero
    Function(
        "where",
        3,
        ("0", "[x != 0]", "[x = 0]"),
        r"\begin{{cases}} {1} & {0} \\ {2} & \text{{otherwise}} \end{{cases}}",
        "np.where({0}, {1}, {2})",
        integer=True,
    ),
    Function("max", 2, ("[x >= y]", "[x < y]"), r"\max({0}, {1})", "np.maximum({0}, {1})", integer=True),
    Function("min", 2, ("[x <= y]", "[x > y]"), r"\min({0}, {1})", "np.minimum({0}, {1})", integer=True),
    Function(
        "logaddexp",
        2,
        ("exp(x - logaddexp(x, y))", "exp(y - logaddexp(x, y))"),
        r"\log(e^{{{0}}} + e^{{{1}}})",
        "np.logaddexp({0}, {1})",
    ),
    # exponentials and logarithms
    _unary("exp", "exp(x)", "e^{{{0}}}", "np.exp({0})"),
    _unary("expm1", "exp(x)", "e^{{{0}}} - 1", "np.expm1({0})"),
    _unary("log", "1/x", r"\log {0}", "np.log({0})", total=False),
    _unary("log1p", "1/(1 + x)", r"\log(1 + {0})", "np.log1p({0})", total=False),
    # roots, absolute value
    _unary("sqrt", "1/(2*sqrt(x))", r"\sqrt{{{0}}}", "np.sqrt({0})", total=False),
    _unary("rsqrt", "-rsqrt(x)^3/2", r"\frac{{1}}{{\sqrt{{{0}}}}}", "1 / np.sqrt({0})", total=False),
    _unary("abs", "sign(x)", r"\left|{0}\right|", "np.abs({0})"),
    _unary("sign", "", r"\operatorname{{sign}} {0}", "np.sign({0})"),
    _unary("floor", "", r"\lfloor {0} \rfloor", "np.floor({0})"),
    # trigonometric
    _unary("sin", "cos(x)", r"\sin {0}", "np.sin({0})"),
    _unary("cos", "-sin(x)", r"\cos {0}", "np.cos({0})"),
    # sigmoidal functions and rectifiers
    _unary("tanh", "1 - tanh(x)^2", r"\tanh {0}", "np.tanh({0})"),
    _unary("sigmoid", "sigmoid(x)*(1 - sigmoid(x))", r"\sigma {0}", "0.5 * (1 + np.tanh(0.5 * {0}))"),
    _unary("softplus", "sigmoid(x)", r"\operatorname{{softplus}} {0}", "np.logaddexp(0, {0})"),
    _unary("erf", "2/sqrt(π)*exp(-x^2)", r"\operatorname{{erf}} {0}", "erf({0})"),
    _unary("relu", "[x > 0]", r"\operatorname{{ReLU}} {0}", "np.maximum({0}, 0)"),
    # constants
    Function("π", 0, (), r"\pi", "np.pi"),
    Function("∞", 0, (), r"\infty", "np.inf", total=False),
)
# fmt: on

FUNCTIONS: dict[str, Function] = {row.name: row for row in _ROWS}
COMPARISONS = ("=", "!=", "<", "<=", ">", ">=", "<=<")
CONSTANTS = tuple(row.name for row in _ROWS if row.arity == 0)
ARGUMENTS = ("x", "y", "w")
