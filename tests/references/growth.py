"""References: growth curves."""

from mpmath import mpf

from tests.references.jets import exp, expm1, softplus
from tests.references.reference import Reference

REFERENCES = {
    "log_log": Reference(lambda x: exp(-exp(-x)), monotone=1),
    "c_log_log": Reference(lambda x: -expm1(-exp(x)), monotone=1),
    "aria2": Reference(lambda x: exp(mpf(-3) / 2 * softplus(-2 * x)), monotone=1),
}
