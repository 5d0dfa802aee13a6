"""References: the step and the line."""

from tests.references.jets import constant
from tests.references.reference import Reference

REFERENCES = {
    "step": Reference(lambda x: constant(x >= 0), kinks=(0,), monotone=1),
    "linear": Reference(lambda x: x, monotone=1),
}
