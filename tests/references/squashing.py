"""References: functions that squash the line into an interval."""

from mpmath import mp, mpf
from tests.references.jets import absolute, arctan, clip, exp, kept, logistic, normal, softplus, sqrt, tanh
from tests.references.reference import Reference

HALF = mpf(1) / 2


def soft_clipping(x):
    """With alpha ½; by the symmetry about ½ where the difference of the two terms would cancel."""
    if x > HALF:
        return 1 - soft_clipping(1 - x)
    return 2 * (softplus(x * HALF) - softplus((x - 1) * HALF)) if x > -100 else left_of_soft_clipping(x)


def left_of_soft_clipping(x):
    """ln(1 + t)/½ for the small t = (eᵘ − eᵛ)/(1 + eᵛ), u = x/2, v = (x − 1)/2."""
    u, v = exp(x * HALF), exp((x - 1) * HALF)
    t = (u - v) / (1 + v)
    # In 40 digits, two terms of the logarithm's series are all there is.
    return 2 * (t - t * t / 2 + t * t * t / 3)


def isru(x):
    """Beyond 1, divided through by |x|, or the derivative would be a difference of equal terms."""
    if absolute(x) > 1:
        return (1 if x > 0 else -1) / sqrt(1 + 1 / (x * x))
    return x / sqrt(1 + x * x)


def slope_inside() -> mpf:
    """√(4π)."""
    return mp.sqrt(4 * mp.pi)


def laplace(x):
    """Distribution function of a normal variable with mean √½ and variance 1/(4π)."""
    return normal((x - 1 / kept(mp.sqrt, 2)) * kept(slope_inside))


REFERENCES = {
    "sigmoid": Reference(logistic, monotone=1),
    "tanh": Reference(tanh, monotone=1),
    "softsign": Reference(lambda x: x / (1 + absolute(x)), monotone=1, digits=400),
    "hard_sigmoid": Reference(lambda x: clip((x + 3) / mpf(6), 0, 1), kinks=(-3, 3), monotone=1),
    "hard_tanh": Reference(lambda x: clip(x, -1, 1), kinks=(-1, 1), monotone=1),
    "stanh": Reference(lambda x: kept(mpf, "1.7159") * tanh(x * 2 / 3), monotone=1),
    "elliott": Reference(lambda x: x / (1 + absolute(x)) / 2 + HALF, monotone=1, digits=400),
    "isru": Reference(isru, monotone=1),
    "arctan": Reference(arctan, monotone=1),
    "log_sigmoid": Reference(lambda x: -softplus(-x), monotone=1),
    "soft_clipping": Reference(soft_clipping, monotone=1, digits=60),
    "weighted_tanh": Reference(lambda x: tanh(kept(mpf, "1.7145") * x), monotone=1),
    "laplace": Reference(laplace, monotone=1),
}
