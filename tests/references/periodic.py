"""References: functions that oscillate."""

from tests.references.jets import constant, cos, sin
from tests.references.reference import Reference

INFINITY = float("inf")
NOTHING = {-INFINITY: (0.0, 0.0), INFINITY: (0.0, 0.0)}

REFERENCES = {
    "sine": Reference(sin, at_infinity=NOTHING),
    "cosine": Reference(cos, at_infinity=NOTHING),
    "siren": Reference(
        lambda x: sin(30 * x),
        at_infinity=NOTHING,
        floor={which: {"float32": 1e-3, "float64": 1e-12} for which in ("value", "derivative")},
    ),
    "snake": Reference(
        lambda x: x + sin(x) * sin(x),
        monotone=1,
        at_infinity={-INFINITY: (-INFINITY, 1.0), INFINITY: (INFINITY, 1.0)},
        floor={"derivative": {"float32": 5e-4, "float64": 1e-12}},
    ),
    "gcu": Reference(lambda x: x * cos(x), at_infinity=NOTHING),
    "sinc": Reference(lambda x: sin(x) / x if x.value else constant(1), at_infinity=NOTHING, digits=700),
}
