"""What a reference is: the formula of a function over jets, and where it bends."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mpmath import mp, mpf
from tests.references.jets import Jet, constant, variable


@dataclass(frozen=True)
class Reference:
    """A function at its default parameters, in mpmath.

    Attributes:
        formula: from a jet to a jet; at a kink the branch of the left piece.
        kinks: where it has a corner or a jump; they and their neighbours are among the inputs of the tests.
        monotone: +1 where it never falls, −1 where it never rises, 0 where it does both.
        at_infinity: value and derivative at −∞ and +∞, where they are not what the formula tends to.
        floor: what is met, by what is measured ("value", "derivative", "second"), where it is less than the floor
            that holds for all, as {"value": {"float32": relative error, ...}}; with the reason in the function's notes.
        digits: decimal digits to compute with, more where terms cancel.
        slope_of: the formula whose derivatives stand for those of `formula`, where a function claims another
            derivative than its own.
    """

    formula: Callable[[Jet], Any]
    kinks: tuple[float, ...] = ()
    monotone: int = 0
    at_infinity: Mapping[float, tuple[float, float]] = field(default_factory=dict)
    floor: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    digits: int = 40
    slope_of: Callable[[Jet], Any] | None = None

    def jet(self, x: Any, *, second: bool = False) -> Jet:
        """Value and derivatives at x, exact for every practical purpose."""
        return self.jets([x], second=second)[0]

    def jets(self, points: Sequence[Any], *, second: bool = False) -> list[Jet]:
        """`jet` at many points."""
        with mp.workdps(self.digits):
            values = [self._apply(self.formula, x, second) for x in points]
            if self.slope_of is None:
                return values
            slopes = [self._apply(self.slope_of, x, second) for x in points]
        return [Jet(one.value, other.first, other.second) for one, other in zip(values, slopes, strict=True)]

    def _apply(self, formula: Callable[[Jet], Any], x: Any, second: bool) -> Jet:
        result = formula(variable(mpf(x), second=second))
        return result if isinstance(result, Jet) else constant(result)

    @functools.cached_property
    def limits(self) -> dict[float, tuple[float, float]]:
        """Value and derivative at −∞ and +∞."""
        found = {}
        for sign in (-1, 1):
            far = self.jet(sign * mpf(10) ** 1000)
            found[sign * float("inf")] = (as_float(far.value), as_float(far.first))
        return found | dict(self.at_infinity)


def as_float(x: Any) -> float:
    """The float next to an mpmath number; what is beyond its range is infinite or 0, and "flushed" where subnormal."""
    size = abs(x)
    if size > mpf(2) ** 1024:
        return float("inf") if x > 0 else float("-inf")
    return 0.0 if size < mpf(2) ** -1022 else float(x)
