"""References: the rectifiers."""

from mpmath import mpf

from tests.references.jets import expm1, relu, softplus
from tests.references.reference import Reference

LAMBDA, LAMBDA_ALPHA = mpf("1.0507009873554804934193"), mpf("1.7580993408473768599402175")

REFERENCES = {
    "relu": Reference(relu, kinks=(0,), monotone=1),
    "leaky_relu": Reference(lambda x: x if x > 0 else x / mpf(100), kinks=(0,), monotone=1),
    "prelu": Reference(lambda x: x if x > 0 else x / mpf(4), kinks=(0,), monotone=1),
    "elu": Reference(lambda x: x if x > 0 else expm1(x), kinks=(0,), monotone=1),
    "selu": Reference(lambda x: LAMBDA * x if x > 0 else LAMBDA_ALPHA * expm1(x), kinks=(0,), monotone=1),
    "softplus": Reference(softplus, monotone=1),
}
