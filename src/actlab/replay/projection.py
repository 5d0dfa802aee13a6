"""Two axes for the activations of a layer: its two units, or principal axes; and the limits of what lies on them."""

from __future__ import annotations

import numpy as np

from actlab.statistics.intervals import Floats

# Rows from which the axes of a layer are found.
ROWS = 256
# Room on either side of the points, as a share of their extent.
ROOM = 0.07


def project(values: np.ndarray) -> np.ndarray:
    """Two coordinates of each sample at each epoch, (epochs, samples, 2), from (epochs, samples, units).

    Two units are their own coordinates; of more, the axes are the principal ones of the last epoch: those of all
    epochs together would show how the whole cloud moves, and little of the classes.
    """
    if values.shape[-1] == 2:
        return values
    finite = [epoch for epoch in range(len(values)) if np.isfinite(values[epoch]).all()]
    mean, *axes = principal_axes(values[finite[-1] if finite else -1])
    # A network that diverged has values that are not finite; they stay so.
    with np.errstate(all="ignore"):
        return (values - mean.astype(values.dtype)) @ np.stack(axes, axis=1).astype(values.dtype)


def principal_axes(values: np.ndarray) -> np.ndarray:
    """Mean and the two directions of largest variance, (3, units), of values (samples, units).

    Found from 256 rows at most, evenly chosen; rows that are not finite are left out. Each axis points to where its
    largest entry is positive, so that equal data give equal figures.

    >>> found = principal_axes(np.array([[1.0, 0.0], [3.0, 0.0], [2.0, 0.1], [2.0, -0.1]]))
    >>> (found.round(2) + 0.0).tolist()
    [[2.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    """
    kept = values[np.isfinite(values).all(axis=1)]
    kept = kept[np.unique(np.linspace(0, len(kept) - 1, min(ROWS, len(kept))).astype(int))].astype(float)
    if len(kept) < 2:
        return np.zeros((3, values.shape[1]))
    mean = kept.mean(axis=0)
    apart = kept - mean
    # The products of rows and those of units have the same axes: whichever is the smaller matrix.
    few_units = 2 <= apart.shape[1] <= len(apart)
    sizes, vectors = np.linalg.eigh(apart.T @ apart if few_units else apart @ apart.T)
    axes = [_direction(vectors[:, -k] if few_units else apart.T @ vectors[:, -k], sizes[-k]) for k in (1, 2)]
    return np.stack([mean, *axes])


def _direction(axis: np.ndarray, size: float) -> np.ndarray:
    length = float(np.linalg.norm(axis))
    if size <= 0 or length == 0:
        return np.zeros_like(axis)
    return axis / length * (1 if axis[np.abs(axis).argmax()] > 0 else -1)


def limits(values: Floats) -> tuple[float, float]:
    """Lowest and highest finite value with some room.

    >>> limits(np.array([0.0, 100.0, np.nan]))
    (-7.000000000000001, 107.0)
    """
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    room = ROOM * (high - low) or 0.5
    return low - room, high + room
