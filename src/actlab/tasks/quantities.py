"""Tasks with numbers as targets: a curve, a made-up regression of ten inputs, a small real table."""

from __future__ import annotations

import numpy as np

from actlab.tasks.split import split
from actlab.tasks.task import Task, build_numbers

_SPLIT = "split 60/20/20 at random, seed"


def sine(seed: int) -> Task:
    """A wave to be fitted: y = sin(12 x) on 1,000 equally spaced x in [−1, 1], noise of standard deviation 0.1 added.

    Four turns: networks whose functions are monotone learn the slow ones first, sines see all at once. Validation and
    test: 250 further points each, x drawn uniformly.

    >>> sine(0).x_train.shape, sine(0).y_test.shape
    ((1000, 1), (250, 1))
    """
    rng = np.random.default_rng(seed)
    parts = []
    for x in (np.linspace(-1, 1, 1000), rng.uniform(-1, 1, 250), rng.uniform(-1, 1, 250)):
        parts.append((x[:, None], np.sin(12 * x) + rng.normal(scale=0.1, size=len(x))))
    provenance = (
        "y = sin(12 x) with noise of standard deviation 0.1, computed: training 1,000 equally spaced x in [−1, 1], "
        f"validation and test 250 uniform ones each, seed {seed}"
    )
    return build_numbers("sine", *parts, provenance=provenance)


def friedman(seed: int) -> Task:
    """Ten uniform inputs, five of which matter: y = 10 sin(π x₁ x₂) + 20 (x₃ − ½)² + 10 x₄ + 5 x₅, noise of SD 1.

    2,000 samples. Source: Friedman 1991, Multivariate adaptive regression splines, Annals of Statistics 19, 1–67.

    >>> friedman(0).x_train.shape
    (1200, 10)
    """
    from sklearn.datasets import make_friedman1

    random_state = int(np.random.default_rng(seed).integers(2**32))
    x, y = make_friedman1(2000, n_features=10, noise=1.0, random_state=random_state)
    provenance = f"Friedman's first regression of 1991, noise 1, computed with scikit-learn; {_SPLIT} {seed}"
    return build_numbers("friedman", *split(np.asarray(x), np.asarray(y), seed), provenance=provenance)


def diabetes(seed: int) -> Task:
    """The progression of diabetes a year on, from ten measurements of 442 patients.

    The measurements are those of scikit-learn, standardised. Source: Efron and others 2004, Least angle regression,
    Annals of Statistics 32, 407–499.

    >>> diabetes(0).targets.names, diabetes(0).x_train.shape
    (('progression',), (266, 10))
    """
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    # Over all 442 patients each measurement has the mean 0 and the length 1.
    samples, numbers = np.asarray(x) * np.sqrt(len(x)), np.asarray(y, dtype=float)
    provenance = (
        "diabetes (Efron, Hastie, Johnstone and Tibshirani 2004), as scikit-learn ships it, measurements brought to "
        f"unit variance; {_SPLIT} {seed}"
    )
    return build_numbers("diabetes", *split(samples, numbers, seed), provenance=provenance, names=["progression"])
