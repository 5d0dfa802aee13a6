"""References: functions put together from lines and parabolas."""

from mpmath import mpf
from tests.references.jets import absolute, clip, constant
from tests.references.reference import Reference

HALF = mpf(1) / 2


def sparse_plus(x):
    """0, a parabola, x."""
    if x > 1:
        return x
    return (x + 1) ** 2 / 4 if x > -1 else constant(0)


def hard_shrink(x):
    """At −½ the value is 0, and the slope that of the piece on the left."""
    if x.value == -HALF:
        return x + HALF
    return x if x > HALF or x < -HALF else constant(0)


def soft_shrink(x):
    """Towards 0 by ½."""
    if x > HALF:
        return x - HALF
    return constant(0) if x > -HALF else x + HALF


def sqnl(x):
    """A parabola on each side of 0, up to ±1."""
    if x > 2 or x <= -2:
        return constant(1 if x > 2 else -1)
    return x - x * absolute(x) / 4


def srelu(x):
    """Thresholds 0 and 2.5, slopes ½ and 1."""
    if x > mpf(5) / 2:
        return mpf(5) / 2 + 1 * (x - mpf(5) / 2)
    return x if x > 0 else 0 + HALF * (x - 0)


def triangular(x):
    """At 1 the piece on the left goes down, at −1 it is 0."""
    return 1 - absolute(x) if -1 < x.value <= 1 else constant(0)


REFERENCES = {
    "relu6": Reference(lambda x: clip(x, 0, 6), kinks=(0, 6), monotone=1),
    "hard_swish": Reference(lambda x: x * clip(x + 3, 0, 6) / 6, kinks=(-3, 3)),
    "hard_mish": Reference(lambda x: x / 2 * clip(x + 2, 0, 2), kinks=(-2, 0)),
    "threshold": Reference(lambda x: x if x > 1 else constant(0), kinks=(1,), monotone=1),
    "hard_shrink": Reference(hard_shrink, kinks=(-0.5, 0.5), monotone=1),
    "soft_shrink": Reference(soft_shrink, kinks=(-0.5, 0.5), monotone=1),
    "sparse_sigmoid": Reference(lambda x: clip((x + 1) / 2, 0, 1), kinks=(-1, 1), monotone=1),
    "smelu": Reference(sparse_plus, kinks=(-1, 1), monotone=1),
    "sqnl": Reference(sqnl, kinks=(-2, 0, 2), monotone=1),
    "srelu": Reference(srelu, kinks=(0, 2.5), monotone=1),
    "triangular": Reference(triangular, kinks=(-1, 0, 1)),
}
