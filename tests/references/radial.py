"""References: bells and bowls around 0."""

from tests.references.jets import exp, sqrt
from tests.references.reference import Reference

REFERENCES = {
    "gaussian": Reference(lambda x: exp(-(x * x))),
    "multiquadratic": Reference(lambda x: sqrt(x * x + 1)),
    "inverse_multiquadratic": Reference(lambda x: 1 / sqrt(x * x + 1)),
    "mexican_hat": Reference(lambda x: (1 - x * x) * exp(-(x * x) / 2)),
}
