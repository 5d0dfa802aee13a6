"""What parameters must fulfil that a range of each does not say, as constraints of a definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Constraint = Callable[..., str | None]


def above_zero(name: str) -> Constraint:
    """The parameter is above 0, where its range includes it.

    >>> above_zero("alpha")(alpha=0.0, beta=1.0)
    'alpha must be above 0'
    """

    def constraint(**parameters: Any) -> str | None:
        return None if np.all(parameters[name] > 0) else f"{name} must be above 0"

    return constraint


def minimum_below_maximum(minimum: Any, maximum: Any) -> str | None:
    """The two are in order.

    >>> minimum_below_maximum(1.0, 1.0)
    'minimum must be below maximum'
    """
    return None if np.all(minimum < maximum) else "minimum must be below maximum"
