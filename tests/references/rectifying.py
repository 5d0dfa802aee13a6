"""References: the rectifiers."""

from mpmath import mpf
from tests.references.jets import Jet, cos, expm1, kept, log1p, logistic, relu, sin, softplus, sqrt
from tests.references.reference import Reference

LAMBDA, LAMBDA_ALPHA = mpf("1.0507009873554804934193"), mpf("1.7580993408473768599402175")
# sin x and cos x keep no digit of x unless it is given with all that stand before its point.
PERIODIC = 400


def _isrlu(x: Jet) -> Jet:
    if x > 0:
        return x
    # Divided through by |x| far out, where 40 digits would not hold the difference that is the derivative.
    return x / sqrt(1 + x**2) if x > -1 else -1 / sqrt(1 + 1 / x**2)


REFERENCES = {
    "relu": Reference(relu, kinks=(0,), monotone=1),
    "leaky_relu": Reference(lambda x: x if x > 0 else x / mpf(100), kinks=(0,), monotone=1),
    "prelu": Reference(lambda x: x if x > 0 else x / mpf(4), kinks=(0,), monotone=1),
    "elu": Reference(lambda x: x if x > 0 else expm1(x), kinks=(0,), monotone=1),
    "selu": Reference(lambda x: LAMBDA * x if x > 0 else LAMBDA_ALPHA * expm1(x), kinks=(0,), monotone=1),
    "softplus": Reference(softplus, monotone=1),
    "celu": Reference(lambda x: x if x > 0 else expm1(x), kinks=(0,), monotone=1),
    "relu_squared": Reference(lambda x: relu(x) ** 2, kinks=(0,), monotone=1),
    "star_relu": Reference(lambda x: kept(mpf, "0.8944") * relu(x) ** 2 - kept(mpf, "0.4472"), kinks=(0,), monotone=1),
    "frelu": Reference(lambda x: relu(x) - kept(mpf, "0.398"), kinks=(0,), monotone=1),
    "nlrelu": Reference(
        lambda x: log1p(relu(x)), kinks=(0,), monotone=1, at_infinity={float("inf"): (float("inf"), 0.0)}
    ),
    "flatten_t_swish": Reference(lambda x: relu(x) * logistic(x) - mpf(1) / 5, kinks=(0,), monotone=1),
    "sine_relu": Reference(
        lambda x: x if x > 0 else (sin(x) - cos(x)) / 400,
        kinks=(0,),
        at_infinity={-float("inf"): (0.0, 0.0)},
        floor={"derivative": {"float64": 1e-11}},
        digits=PERIODIC,
    ),
    # As b/(√(x² + b) − x) on the left: 40 digits would not hold (x + √(x² + b))/2 there.
    "squareplus": Reference(lambda x: (x + sqrt(x**2 + 4)) / 2 if x > 0 else 2 / (sqrt(x**2 + 4) - x), monotone=1),
    "isrlu": Reference(_isrlu, kinks=(0,), monotone=1),
    "bent_identity": Reference(lambda x: x**2 / (2 * (sqrt(x**2 + 1) + 1)) + x, monotone=1),
}
