"""Arrays along the axis of their units, which is counted from the end."""

from __future__ import annotations

from typing import Any


def along(x: Any, axis: int, part: slice) -> Any:
    """Take a slice of `x` along an axis that is counted from the end.

    >>> import numpy as np
    >>> along(np.arange(6).reshape(2, 3), -1, slice(0, None, 2))
    array([[0, 2],
           [3, 5]])
    """
    return x[(Ellipsis, part, *(slice(None),) * (-axis - 1))]


def places(x: Any, xp: Any, axis: int) -> Any:
    """1, 2, 3, … along an axis, in the type of `x` and of length 1 in all other axes.

    >>> import numpy as np
    >>> places(np.zeros((2, 3)), np, -1)
    array([[1., 2., 3.]])
    """
    unit_axis = len(x.shape) + axis
    row = x[tuple(slice(None) if k == unit_axis else slice(0, 1) for k in range(len(x.shape)))]
    return xp.cumsum(xp.ones_like(row), axis=axis)


def at_even_places(x: Any, xp: Any, axis: int) -> Any:
    """A mask of the first, third, … unit: those of even index, counted from 0.

    >>> import numpy as np
    >>> at_even_places(np.zeros(3), np, -1)
    array([ True, False,  True])
    """
    half = 0.5 * places(x, xp, axis)
    return half > xp.floor(half)
