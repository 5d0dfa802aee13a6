"""References: x times a gate."""

from tests.references.jets import logistic, normal, softplus, tanh
from tests.references.reference import Reference

REFERENCES = {
    "gelu": Reference(lambda x: x * normal(x)),
    "silu": Reference(lambda x: x * logistic(x)),
    "mish": Reference(lambda x: x * tanh(softplus(x))),
}
