"""Sigmoidal functions.  The polynomials are minimax for the relative error of the result (Remez exchange)."""

from __future__ import annotations

from chainrule.backends.native.functions.exponential import exp, moderate_exp
from chainrule.backends.native.functions.lanes import Lanes

# (tanh(x) - x)/x³ in x², |x| <= 5/8
TANH = {
    "float": (
        -0.333333307578402,
        0.1333320415856664,
        -0.05394651914554556,
        0.02169931589642565,
        -0.008173850245073168,
        0.002139612857826607,
    ),
    "double": (
        -0.33333333333333315,
        0.13333333333329625,
        -0.05396825396599431,
        0.02186948846695004,
        -0.008863234284649298,
        0.0035921137229441413,
        -0.0014557241544775543,
        0.0005894440941347798,
        -0.00023698996698666972,
        9.151957068977722e-05,
        -3.0147520904482385e-05,
        6.024762482594572e-06,
    ),
}

# erf(x)/x - 1 in x², |x| <= 0.92 or 1
ERF = {
    "float": (
        0.12837916660895113,
        -0.3761263346374438,
        0.11283691353068223,
        -0.026859169518581617,
        0.0052004660819756675,
        -0.0008136292074154876,
        8.343040921978691e-05,
    ),
    "double": (
        0.1283791670955126,
        -0.3761263890318375,
        0.11283791670954851,
        -0.026866170645071758,
        0.005223977624769354,
        -0.0008548326978055165,
        0.00012055331010964721,
        -1.4925592863722334e-05,
        1.6460962196651004e-06,
        -1.6349909589804262e-07,
        1.4657082708905183e-08,
        -1.1362513858030521e-09,
        5.93981601485217e-11,
    ),
}

# log(1 - erf(x)) in x - 0.9 or x - 1, up to where erf(x) rounds to 1
LOG_ERFC = {
    "float": (
        -1.5940972463437886,
        -2.4716340705114854,
        -0.8300159111367467,
        -0.045784409002438915,
        0.011087458270076797,
        -0.002181023552554568,
        0.00030017274671985573,
        -2.082850708144822e-05,
    ),
    "double": (
        -1.8496055099332482,
        -2.6389675142347913,
        -0.8431072563584867,
        -0.041561098046495534,
        0.010033825434025735,
        -0.0019779030200778925,
        0.0002373247106513427,
        2.6270319271202857e-05,
        -2.714081833730514e-05,
        9.576410977744069e-06,
        -2.0166739328446333e-06,
        9.96768346245186e-08,
        1.3045710800436265e-07,
        -7.11020347964315e-08,
        2.3263826087818622e-08,
        -5.597379049224009e-09,
        1.0217814449574445e-09,
        -1.3883124937800556e-10,
        1.327524324323453e-11,
        -7.966645237414862e-13,
        2.2528393136409666e-14,
    ),
}


def tanh(x: Lanes) -> Lanes:
    """A polynomial to 5/8, then 1 - 2/(e^(2|x|) + 1) (Cody and Waite 1980); 1.5 ULP."""
    magnitude = abs(x)
    square = x * x
    near = (square * magnitude).times_plus(square.polynomial(TANH[x.format.element]), magnitude)
    one = 10.0 if x.format.element == "float" else 20.0
    far = 1.0 - 2.0 / (moderate_exp((magnitude + magnitude).at_most(2 * one)) + 1.0)
    return (magnitude < 0.625).choose(near, far).with_sign(x.sign_bit)


def sigmoid(x: Lanes) -> Lanes:
    """1/(1 + e^-x) or e^x/(1 + e^x), by the sign, so that tiny results keep their digits; 2.5 ULP."""
    e = exp(-abs(x))
    return (x < 0.0).choose(e, 1.0) / (e + 1.0)


def erf(x: Lanes) -> Lanes:
    """x + x·p(x²) near zero, then 1 - e^q(|x|) with q = log(1 - erf); 1.5 ULP."""
    element = x.format.element
    start, middle, one = (0.9, 0.92, 3.95) if element == "float" else (1.0, 1.0, 6.0)
    magnitude = abs(x)
    near = x.times_plus((x * x).polynomial(ERF[element]), x)
    far = 1.0 - moderate_exp((magnitude.at_most(one) - start).polynomial(LOG_ERFC[element]))
    return (magnitude < middle).choose(near, far.with_sign(x.sign_bit))
