"""References: functions that draw noise, as they are outside training."""

from mpmath import mpf
from tests.references.jets import relu
from tests.references.reference import Reference

MEAN = (mpf(1) / 8 + mpf(1) / 3) / 2

REFERENCES = {
    "rrelu": Reference(lambda x: x if x > 0 else x * MEAN, kinks=(0,), monotone=1),
    "prob_act": Reference(relu, kinks=(0,), monotone=1),
}
