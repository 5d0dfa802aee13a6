"""References: functions that squash the line into an interval."""

from mpmath import mpf

from tests.references.jets import absolute, clip, logistic, tanh
from tests.references.reference import Reference

REFERENCES = {
    "sigmoid": Reference(logistic, monotone=1),
    "tanh": Reference(tanh, monotone=1),
    "softsign": Reference(lambda x: x / (1 + absolute(x)), monotone=1),
    "hard_sigmoid": Reference(lambda x: clip((x + 3) / mpf(6), 0, 1), kinks=(-3, 3), monotone=1),
    "hard_tanh": Reference(lambda x: clip(x, -1, 1), kinks=(-1, 1), monotone=1),
}
