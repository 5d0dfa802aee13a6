"""Real handwritten digits that need no download: they come with scikit-learn."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from actlab.tasks.split import split
from actlab.tasks.task import Task, build


def digits(seed: int) -> Task:
    """1,797 handwritten digits of 43 people, 8 × 8 pixels of 17 grey levels, scaled to [0, 1].

    Source: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998, doi:10.24432/C50P49
    (its test set, as scikit-learn carries it).

    >>> digits(0).input_shape, digits(0).class_count
    ((8, 8, 1), 10)
    """
    pixels, labels = _packaged()
    return build(
        "digits",
        *split(pixels.reshape(-1, 8, 8, 1) / 16, labels, seed),
        provenance="Optical Recognition of Handwritten Digits (Alpaydin, Kaynak, UCI 1998, CC BY 4.0) as in "
        f"scikit-learn, pixels divided by 16; split 60/20/20 stratified by class, seed {seed}",
    )


def _packaged() -> tuple[np.ndarray, np.ndarray]:
    """Pixels (1797, 64) and labels (1797,), from scikit-learn's file: to import scikit-learn takes over a second."""
    package = find_spec("sklearn")
    path = Path(package.origin if package and package.origin else "").parent / "datasets" / "data" / "digits.csv.gz"
    if not path.is_file():  # In a version that keeps it elsewhere, scikit-learn itself knows where.
        from sklearn.datasets import load_digits

        data: Any = load_digits()
        return data.data, data.target
    with gzip.open(path, "rt") as file:
        table = np.loadtxt(file, delimiter=",")
    return table[:, :-1], table[:, -1].astype(int)
