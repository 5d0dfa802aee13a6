"""References: functions with coefficients of their own."""

from mpmath import mp, mpf
from tests.references.reference import Reference

RIGHT = 1 + 1 / (1 + mp.exp(mpf(-2)))

REFERENCES = {"arelu": Reference(lambda x: x * (RIGHT if x > 0 else mpf(9) / 10), kinks=(0,), monotone=1)}
