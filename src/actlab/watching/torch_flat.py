"""Where a function of PyTorch's is flat: found once by its slope on a fine grid, and then told by comparing numbers.

Autograd through a function costs more than the function does; whether a number lies in an interval, next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import numpy as np
import numpy.typing as npt
import torch

from actlab.watching.torch_values import FLAT, Array, slope_of, supremum

Intervals = tuple[tuple[float, float], ...]
Function = Callable[[torch.Tensor], torch.Tensor]

# Where functions bend, a thousandth apart: narrower is the place around a minimum of none; and, wider apart, beyond.
_GRID = np.unique(np.r_[np.linspace(-16, 16, 2**15 + 1), -np.geomspace(16, 1e9, 2000), np.geomspace(16, 1e9, 2000)])
# A wave has more, and is gone back through.
_MOST = 4
_known: dict[Hashable, Intervals | None] = {}


def flat_places(key: Hashable, name: str, function: Function) -> Intervals | None:
    """Where |f'| is at most FLAT of its supremum, as [from, to); None where that is not told by few intervals.

    Args:
        key: of the function with its settings, by which what is found is kept.
        name: in the catalogue.
        function: from tensors to tensors, element by element.
    """
    if key not in _known:
        steepest = supremum(name)
        _known[key] = None if steepest is None else _found(function, FLAT * steepest)
    return _known[key]


def is_flat(values: Array, places: Intervals) -> npt.NDArray[np.bool_]:
    """Which values lie in one of some intervals; NaN does not."""
    flat = np.zeros(values.shape, bool)
    for low, high in places:
        if low == -np.inf:
            own = values < np.float32(high)
        elif high == np.inf:
            own = values >= np.float32(low)
        else:
            own = (values >= np.float32(low)) & (values < np.float32(high))
        flat = own if len(places) == 1 else np.logical_or(flat, own, out=flat)
    return flat


def _found(function: Function, most: float) -> Intervals | None:
    def flat(values: Array) -> npt.NDArray[np.bool_]:
        with torch.autocast("cpu", enabled=False):
            return (slope_of(function, torch.from_numpy(values), drawing=False).abs() <= most).numpy()

    grid = _GRID.astype(np.float32)
    seen = flat(grid)
    (turns,) = np.nonzero(seen[1:] != seen[:-1])
    if len(turns) > 2 * _MOST:
        return None
    edges: list[float] = [] if not seen[0] else [-np.inf]
    if len(turns):
        # Halved until two neighbours among the floats are left: the second is the first beyond.
        low, high, before = _ordered(grid[turns]), _ordered(grid[turns + 1]), seen[turns]
        while (high - low > 1).any():
            middle = (low + high) // 2
            same = flat(_floats(middle)) == before
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        edges += _floats(high).tolist()
    if len(edges) % 2:
        edges.append(np.inf)
    return tuple(zip(edges[::2], edges[1::2], strict=True))


def _ordered(values: Array) -> npt.NDArray[np.int64]:
    """Whole numbers in the order of the floats, one for each."""
    bits = values.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _floats(order: npt.NDArray[np.int64]) -> Array:
    bits = np.where(order < 0, -order | 0x80000000, order)
    return bits.astype(np.uint32).view(np.float32)
