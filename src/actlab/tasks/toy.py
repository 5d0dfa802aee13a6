"""Toy tasks: two classes of points in the plane, made on the spot."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from actlab.tasks.split import split
from actlab.tasks.task import Pair, Task, build

Points = npt.NDArray[np.float64]

_SAMPLES = 2000
_SPLIT = "split 60/20/20 stratified by class, seed"


def parabolas(seed: int) -> Task:
    """Two parabolas, one half above the other: (x₁, x₁²) negative, (x₁, x₁² − 0.5) positive.

    Training: 1,000 equally spaced x₁ in [−1, 1] per class, the same for every seed, the negative class first
    and each class in the order of x₁. Validation and test: 250 further points per class each,
    x₁ drawn uniformly.

    >>> parabolas(0).x_train[[0, 1000]].tolist()
    [[-1.0, 1.0], [-1.0, 0.5]]
    """
    rng = np.random.default_rng(seed)
    return build(
        "parabolas",
        _on_parabolas(np.linspace(-1, 1, 1000)),
        _on_parabolas(rng.uniform(-1, 1, 250)),
        _on_parabolas(rng.uniform(-1, 1, 250)),
        classes=("negative", "positive"),
        provenance="two parabolas, computed: training 1,000 equally spaced points a class, "
        f"validation and test 250 uniform points a class each, seed {seed}",
    )


def _on_parabolas(x1: Points) -> Pair:
    """The points of both classes over `x1`, (n,): samples (2n, 2) and labels (2n,)."""
    negative = np.stack([x1, x1**2], axis=1)
    positive = np.stack([x1, x1**2 - 0.5], axis=1)
    return np.concatenate([negative, positive]), np.repeat([0, 1], len(x1))


def moons(seed: int) -> Task:
    """Two interleaving half circles of 1,000 points each, Gaussian noise of standard deviation 0.1.

    >>> moons(0).x_test.shape
    (400, 2)
    """
    from sklearn.datasets import make_moons

    x, y = make_moons(_SAMPLES, noise=0.1, random_state=_random_state(seed))
    provenance = f"two moons, noise 0.1, computed with scikit-learn; {_SPLIT} {seed}"
    return build("moons", *split(np.asarray(x), np.asarray(y), seed), classes=("upper", "lower"), provenance=provenance)


def circles(seed: int) -> Task:
    """A circle of radius 1 around one of radius 0.5, 1,000 points each, noise of standard deviation 0.1.

    >>> circles(0).classes
    ('outer', 'inner')
    """
    from sklearn.datasets import make_circles

    x, y = make_circles(_SAMPLES, noise=0.1, factor=0.5, random_state=_random_state(seed))
    provenance = f"two circles, noise 0.1, computed with scikit-learn; {_SPLIT} {seed}"
    return build(
        "circles",
        *split(np.asarray(x), np.asarray(y), seed),
        classes=("outer", "inner"),
        provenance=provenance,
    )


def spirals(seed: int) -> Task:
    """Two interleaved variants: r (cos θ, sin θ) with θ = 3.5 π r (+ π for the second), 0.1 ≤ r ≤ 1.

    1,000 points a variant, r drawn uniformly, Gaussian noise of standard deviation 0.03 added; along a ray the
    variants are 2/7 apart.

    >>> spirals(0).x_train.shape
    (1200, 2)
    """
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], _SAMPLES // 2)
    radius = rng.uniform(0.1, 1, _SAMPLES)
    angle = np.pi * (3.5 * radius + y)
    variants = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = variants + rng.normal(scale=0.03, size=variants.shape)
    provenance = f"two spiral arms, noise 0.03, computed; {_SPLIT} {seed}"
    return build("spirals", *split(x, y, seed), classes=("first", "second"), provenance=provenance)


def _random_state(seed: int) -> int:
    """A seed in the 32 bits that scikit-learn takes, from one of any size."""
    return int(np.random.default_rng(seed).integers(2**32))
