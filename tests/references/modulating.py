"""References: products with a gate in which more than x is gated."""

from mpmath import mpf
from tests.references.jets import Jet, absolute, clip, exp, expm1, kept, logistic, softplus, tanh
from tests.references.reference import Reference


def srs(x: Jet) -> Jet:
    """x/(x/5 + e^(−x/3))."""
    return x / (x / 5 + exp(-x / 3))


def eis(x: Jet) -> Jet:
    """x·ln(1 + eˣ)/(√x² + 1.16·e⁻ˣ)."""
    return x * softplus(x) / (absolute(x) + kept(mpf, "1.16") * exp(-x))


REFERENCES = {
    "dsilu": Reference(lambda x: logistic(x) * (1 + x * logistic(-x))),
    "elish": Reference(lambda x: logistic(x) * (x if x > 0 else expm1(x))),
    "hard_elish": Reference(lambda x: clip((x + 1) / 2, 0, 1) * (x if x > 0 else expm1(x)), kinks=(-1, 1)),
    "srs": Reference(srs, digits=380),
    "tanh_soft": Reference(lambda x: tanh(kept(mpf, "0.87") * x) * softplus(x)),
    "eis": Reference(eis),
}
