"""Real handwritten digits that need no download: they come with scikit-learn."""

from __future__ import annotations

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
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    images = np.asarray(bunch["images"])[..., None] / 16
    labels = np.asarray(bunch["target"])
    return build(
        "digits",
        *split(images, labels, seed),
        provenance="Optical Recognition of Handwritten Digits (Alpaydin, Kaynak, UCI 1998, CC BY 4.0) as in "
        f"scikit-learn, pixels divided by 16; split 60/20/20 stratified by class, seed {seed}",
    )
