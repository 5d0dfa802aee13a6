"""References: functions with the error function or the normal distribution, and SMU-1."""

from mpmath import mpf
from tests.references.jets import Jet, clip, erf, exp, normal, softplus, sqrt
from tests.references.reference import Reference

_ALPHA = mpf(1) / 4


def _smu(x: Jet) -> Jet:
    return ((1 + _ALPHA) * x + (1 - _ALPHA) * x * erf(mpf(1_000_000) * (1 - _ALPHA) * x)) / 2


def _smu1(x: Jet) -> Jet:
    mu = mpf(4.352665993287951e-09)  # the float itself: its digits beyond show next to the root, x = -mu
    return ((1 + _ALPHA) * x + sqrt((1 - _ALPHA) ** 2 * x * x + mu**2)) / 2


REFERENCES = {
    "serf": Reference(lambda x: x * erf(softplus(x))),
    "erf_act": Reference(lambda x: x * erf(mpf(3) / 4 * exp(mpf(3) / 4 * x))),
    # 0.85 is the float itself: the left tail, exp(0.85x), shows its digits beyond.
    "pserf": Reference(lambda x: x * erf(mpf(5) / 4 * softplus(mpf(0.85) * x))),
    "smu": Reference(_smu, kinks=(1e-6, 1e-5), monotone=1),
    "smu1": Reference(_smu1, kinks=(4.3e-9, 1e-7), monotone=1),
    "xgelu": Reference(lambda x: x * normal(x)),
    "clipped_gelu": Reference(lambda x: clip(x * normal(x), -10, 10), kinks=(10,)),
}
