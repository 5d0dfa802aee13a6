"""References: growth curves."""

from mpmath import mpf
from tests.references.jets import constant, exp, expm1, softplus
from tests.references.reference import Reference


def log_log(x):
    """Below −1000, where it is 0 in every type, mpmath would not end."""
    return exp(-exp(-x)) if x > -1000 else constant(0)


def c_log_log(x):
    """Above 1000 it is 1 in every type."""
    return -expm1(-exp(x)) if x < 1000 else constant(1)


REFERENCES = {
    "log_log": Reference(log_log, monotone=1),
    "c_log_log": Reference(c_log_log, monotone=1),
    "aria2": Reference(lambda x: exp(mpf(-3) / 2 * softplus(-2 * x)), monotone=1),
}
