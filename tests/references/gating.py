"""References: x times a gate."""

from mpmath import mpf
from tests.references.jets import Jet, constant, exp, kept, log1p, logistic, normal, softplus, tanh
from tests.references.reference import Reference


def golu(x: Jet) -> Jet:
    """x·exp(−e⁻ˣ); below −20 it is less than e^(−e²⁰), beyond what the references reach."""
    return x * exp(-exp(-x)) if x > -20 else constant(0)


REFERENCES = {
    "gelu": Reference(lambda x: x * normal(x)),
    "quick_gelu": Reference(lambda x: x * logistic(kept(mpf, "1.702") * x)),
    "silu": Reference(lambda x: x * logistic(x)),
    "trainable_swish": Reference(lambda x: x * logistic(x)),
    "e_swish": Reference(lambda x: kept(mpf, "1.375") * x * logistic(x)),
    "xsilu": Reference(lambda x: x * logistic(x)),
    "mish": Reference(lambda x: x * tanh(softplus(x))),
    "logish": Reference(lambda x: x * log1p(logistic(x))),
    "golu": Reference(golu),
}
