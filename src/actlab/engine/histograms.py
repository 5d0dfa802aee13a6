"""Counting values into bins, exactly, and in some five nanoseconds a value on one core.

A bin is found by the exponent and first two bits of a number: numbers that share them make a cell, which holds
at most one edge where bins are wider than a quarter octave. A table says how many edges lie below the cell, one
comparison with the edge inside decides the rest, and the bin's count goes up by one. Comparing every value with every
edge took four to eight times as long (192 members with 256 values, 20 members with 4,096).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from actlab.recording.measures import VALUES_COUNTED

Array = jax.Array

# Bits of the significand, after the exponent's, that a cell is known by.
CELL_BITS = 2


@dataclass(frozen=True, eq=False)
class Cells:
    """Where the bins of some edges lie among the cells of a float format.

    Attributes:
        first: the first cell that is told apart: all smaller numbers are as good as in it.
        count: of cells for one sign; those of negative numbers come after those of positive ones.
        below: (2·count,), how many edges lie below all numbers of a cell, hence the bin of its lowest.
        within: (2·count,), the edge inside the cell, infinite where there is none.
    """

    first: int
    count: int
    below: np.ndarray
    within: np.ndarray


def _cell(magnitude: Any, mantissa_bits: int) -> Any:
    """The cell of non-negative numbers, NumPy's or JAX's."""
    integer = np.int64 if mantissa_bits > 23 else np.int32
    if isinstance(magnitude, np.ndarray):
        bits = magnitude.view(integer)
    else:
        bits = jax.lax.bitcast_convert_type(magnitude, integer)
    return bits >> (mantissa_bits - CELL_BITS)


@functools.cache
def _cells(inner: tuple[float, ...], dtype: np.dtype) -> Cells:
    """The cells for `inner`, the edges between two bins, ascending.

    Raises:
        ValueError: two edges in one cell.
    """
    edges = np.array(inner, dtype)
    mantissa_bits = np.finfo(dtype).nmant
    of_edges = _cell(np.abs(edges[edges != 0]), mantissa_bits)
    first, count = int(of_edges.min()) - 1, int(of_edges.max() - of_edges.min()) + 2
    integer = of_edges.dtype
    starts = (np.arange(first, first + count + 1, dtype=integer) << (mantissa_bits - CELL_BITS)).view(dtype)
    low = np.concatenate([[0], starts[1:-1]]).astype(dtype)
    high = np.concatenate([starts[1:-1], [np.inf]]).astype(dtype)
    # A cell holds its start; of negative numbers that is its upper end.
    below = np.concatenate([np.searchsorted(edges, low, "right"), np.searchsorted(edges, -high, "right")])
    after = np.concatenate([np.searchsorted(edges, high, "left"), np.searchsorted(edges, -low, "right")])
    if (after - below).max() > 1:
        raise ValueError("two edges lie closer than a quarter octave: bins must be wider.")
    within = np.where(after > below, edges[np.minimum(below, len(edges) - 1)], np.inf)
    return Cells(first, count, below.astype(np.int32), within.astype(dtype))


def histogram(array: Array, edges: np.ndarray) -> Array:
    """Counts of values in each bin, (variants, seeds, ...) -> (variants, seeds, bins) int32.

    A bin holds its lower edge; the outermost two hold all that lies beyond, infinities too. NaN is counted nowhere.
    At most some 4,096 of each member's values are counted: larger arrays are thinned by a step that shares no factor
    with the length of the last axis, so that all units count, which lie there or in long runs.

    Args:
        array: float32 or float64.
        edges: (bins + 1,), ascending, wider apart than a quarter octave.

    >>> histogram(jnp.array([[[-3.0, 0.5, 1.0, 9.0, jnp.nan]]]), np.array([0.0, 1.0, 2.0, 4.0])).tolist()
    [[[2, 1, 1]]]
    """
    values = array.reshape(math.prod(array.shape[:2]), -1)
    stride = max(1, values.shape[-1] // VALUES_COUNTED)
    while stride > 1 and math.gcd(stride, array.shape[-1]) > 1:
        stride += 1
    values = values[:, ::stride]
    bins = len(edges) - 1
    places = jnp.where(jnp.isnan(values), bins, _bins(values, edges))
    # NaN has a bin of its own, which is left out in the end.
    counts = jnp.zeros((len(values), bins + 1), jnp.int32)
    counts = counts.at[jnp.arange(len(values))[:, None], places].add(1, mode="promise_in_bounds")
    return counts[:, :bins].reshape(*array.shape[:2], bins)


def _bins(values: Array, edges: np.ndarray) -> Array:
    """The bin of each value; some bin for NaN."""
    cells = _cells(tuple(edges[1:-1].tolist()), np.dtype(values.dtype))
    cell = _cell(jnp.abs(values), jnp.finfo(values.dtype).nmant)
    cell = jnp.clip(cell, cells.first, cells.first + cells.count - 1) - cells.first
    cell = jnp.where(values < 0, cell + cells.count, cell)
    below, within = (jnp.asarray(table).at[cell].get(mode="promise_in_bounds") for table in (cells.below, cells.within))
    return below + (values >= within)
