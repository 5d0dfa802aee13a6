"""How large the inputs of a task are."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

# So many samples say it of a set of any size.
SAMPLES = 5_000


def scale_of(x: ArrayLike) -> dict[str, float]:
    """How large inputs are, over all of their features.

    Args:
        x: (samples, ...), finite; of many samples, some 5,000 spread over all are looked at.

    Returns:
        `rms`, √E x² over all numbers; `column_rms`, the largest √E x² of a feature; `spread`, the root of the mean over
        features of their variance; `minimum` and `maximum`.

    >>> found = scale_of([[3.0, 0.0], [3.0, 4.0]])
    >>> [round(found[name], 3) for name in ("rms", "column_rms", "spread", "maximum")]
    [2.915, 3.0, 1.414, 4.0]
    """
    samples = np.asarray(x)
    columns = samples[:: max(1, len(samples) // SAMPLES)].reshape(-1, math.prod(samples.shape[1:])).astype(float)
    squares = np.mean(columns**2, axis=0)
    return {
        "rms": math.sqrt(squares.mean()),
        "column_rms": math.sqrt(squares.max()),
        "spread": math.sqrt(columns.var(axis=0).mean()),
        "minimum": float(columns.min()),
        "maximum": float(columns.max()),
    }
