"""Which axis of a user's arrays counts the samples: the first, or the last one as in many MATLAB files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidData
from actlab.tasks.array_names import are_ones
from actlab.tasks.reading import Layout
from actlab.tasks.tables.report import Note

Arrays = Mapping[str, npt.NDArray[np.generic]]
Order = Literal["samples-first", "samples-last"]


def samples_first(
    name: str, arrays: Arrays, layout: Layout | None, *, ask: bool
) -> tuple[dict[str, npt.NDArray[np.generic]], str, list[Note]]:
    """Arrays whose first axis counts the samples; what was done, in words; notes of it.

    Labels (1, n), and rows of one 1 for each class (classes, n), become (n,) and (n, classes); samples (…, n), as many
    as there are labels, become (n, …).

    Args:
        name: of the file.
        arrays: by "x_train" and its like.
        layout: what is decided.
        ask: whether samples that may be counted by the first and the last axis are asked about; else it is the first.

    Raises:
        InvalidData: both axes are as long as there are labels, and nothing is decided.

    >>> arrays, told, _ = samples_first(
    ...     "a.mat", {"x_train": np.zeros((4, 150)), "y_train": np.zeros((1, 150))}, None, ask=True
    ... )
    >>> arrays["x_train"].shape, arrays["y_train"].shape, told
    ((150, 4), (150,), ', samples last')
    """
    found = {key: _upright(array) if key.startswith("y_") else array for key, array in arrays.items()}
    order, notes = _order(name, found["x_train"], len(found["y_train"]) if found["y_train"].ndim else 0, layout, ask)
    if order == "samples-first":
        return found, "", notes
    turned = {
        # As arrays lie that were written sample by sample.
        key: np.ascontiguousarray(np.moveaxis(array, -1, 0)) if key.startswith("x_") and array.ndim else array
        for key, array in found.items()
    }
    return turned, ", samples last", notes


def _upright(labels: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    if labels.ndim != 2:
        return labels
    if labels.shape[0] == 1:
        return labels[0]
    number = labels.dtype.kind in "iufb" and labels.size > 0
    return labels.T if number and are_ones(labels.T).all() and not are_ones(labels).all() else labels


def _order(
    name: str, x: npt.NDArray[np.generic], count: int, layout: Layout | None, ask: bool
) -> tuple[Order, list[Note]]:
    if layout == "samples-first" or layout == "samples-last":
        return layout, []
    if x.ndim < 2 or x.shape[-1] != count:
        return "samples-first", []
    if x.shape[0] != count:
        told = f"{name}: x_train has the shape {x.shape} and there are {count:,} labels: samples come last"
        return "samples-last", [Note(f"{told}; --layout samples-first says otherwise.", "--layout")]
    if ask:
        raise InvalidData(
            f"{name}: x_train has the shape {x.shape} and there are {count:,} labels: say --layout samples-first if "
            "its first axis counts the samples, or --layout samples-last if its last one does."
        )
    return "samples-first", []
