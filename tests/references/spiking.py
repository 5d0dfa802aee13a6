"""References: steps with the derivative of something smooth."""

from mpmath import mp
from tests.references.jets import absolute, arctan, constant
from tests.references.reference import Reference


def step(x):
    """1 for x ≥ 0, else 0."""
    return constant(x >= 0)


def parabolas(x):
    """What has the derivative max(0, 1 − |x|)."""
    if x > 1 or x <= -1:
        return constant(x > 0)
    return x - x * x / 2 if x > 0 else x + x * x / 2


REFERENCES = {
    "spike_fast_sigmoid": Reference(
        step, kinks=(0,), monotone=1, slope_of=lambda x: x / (1 + 25 * absolute(x)), digits=700
    ),
    "spike_arctan": Reference(step, kinks=(0,), monotone=1, slope_of=lambda x: arctan(mp.pi * x) / mp.pi),
    "spike_triangular": Reference(step, kinks=(-1, 0, 1), monotone=1, slope_of=parabolas),
}
