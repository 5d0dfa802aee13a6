"""The metric that leads: by which activations are ranked and compared, and how its values are said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from actlab.errors import UnknownName

# Numbers of this size are written in full, with commas; others with powers of ten.
FULL = 1000, 10**7


@dataclass(frozen=True)
class Lead:
    """A metric that leads, as a recording declares it: see `Metric`.

    A share is said in per cent, and differences of it in percentage points; every other metric in its unit.

    Attributes:
        name, title, better, unit, scale: as of a `Metric`.
        at_end: whether it is known after the last epoch alone, on the test data: see `Derived`.
    """

    name: str
    title: str
    better: Literal["higher", "lower"]
    unit: str
    scale: float = 1.0
    at_end: bool = False

    @property
    def test(self) -> str:
        """Its name on the test data."""
        return f"test_{self.name}"

    @property
    def validation(self) -> str:
        """Its name on the validation data."""
        return f"validation_{self.name}"

    @property
    def is_share(self) -> bool:
        """Whether its values are shares from 0 to 1."""
        return self.unit == "%"

    @property
    def best(self) -> str:
        """Which mean is the best one."""
        return "highest" if self.better == "higher" else "lowest"

    @property
    def apart(self) -> str:
        """The unit of differences."""
        return "points" if self.is_share else self.unit

    def gain(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Values of which larger ones are better.

        >>> Lead("loss", "cross-entropy", "lower", "nats").gain([0.5, 0.25]).tolist()
        [-0.5, -0.25]
        """
        return np.asarray(values, dtype=float) * (1.0 if self.better == "higher" else -1.0)

    def ahead(self, difference: float) -> bool:
        """Whether a difference a − b says that a is better."""
        return difference > 0 if self.better == "higher" else difference < 0

    def number(self, value: float, decimals: int = 1) -> str:
        """A value in its unit, without that: a share with so many decimals, others to three digits.

        >>> ACCURACY.number(0.97345), Lead("loss", "cross-entropy", "lower", "nats").number(0.0123456)
        ('97.3', '0.0123')
        """
        if self.is_share:
            return f"{self.scale * value:.{decimals}f}"
        own = self.scale * value
        # Prices and the like are read in full, rounded all the same.
        return f"{float(f'{own:.3g}'):,.0f}" if FULL[0] <= abs(own) < FULL[1] else f"{own:#.3g}".rstrip(".")

    def said(self, value: float, decimals: int = 1) -> str:
        """A value with its unit.

        >>> ACCURACY.said(0.97345), Lead("rmse", "root mean squared error", "lower", "").said(12.5)
        ('97.3 %', '12.5')
        """
        return f"{self.number(value, decimals)} {self.unit}".rstrip()

    def distance(self, difference: float) -> str:
        """The size of a difference with its unit, two digits where it is small.

        >>> ACCURACY.distance(-0.0123), ACCURACY.distance(0.0012), ACCURACY.distance(0.123)
        ('1.2 points', '0.12 points', '12.3 points')
        """
        size = abs(self.scale * difference)
        written = f"{size:.1f}" if self.is_share and size >= 0.95 else f"{size:.2g}"
        return f"{written} {self.apart}".rstrip()


ACCURACY = Lead("accuracy", "accuracy", "higher", "%", 100.0)
BALANCED = Lead("balanced_accuracy", "balanced accuracy", "higher", "%", 100.0)


def lead_in(summary: Mapping[str, Any]) -> Lead:
    """The metric that leads in a summary; accuracy in those of earlier versions."""
    return Lead(**summary["lead"]) if "lead" in summary else ACCURACY


# One class may have so many times the samples of the others' mean before it would decide the accuracy by itself.
IMBALANCE = 4.0


def usual_lead(metrics: Iterable[Mapping[str, Any]], class_counts: npt.ArrayLike = ()) -> str:
    """The name of the metric that leads where none is asked for.

    Accuracy; balanced accuracy where that is recorded and the most frequent class has more than four times the samples
    of the others' mean: always naming it would look good. Without classes the first metric that is not the loss.

    Args:
        metrics: as for `lead_among`.
        class_counts: training samples of each class, (classes,); empty where they are not known.

    >>> usual_lead([BALANCED.__dict__, ACCURACY.__dict__], [30, 1]), usual_lead([ACCURACY.__dict__], [30, 1])
    ('balanced_accuracy', 'accuracy')
    """
    names = [metric["name"] for metric in metrics]
    counts = np.asarray(class_counts, dtype=float)
    if BALANCED.name in names and len(counts) > 1:
        others = (counts.sum() - counts.max()) / (len(counts) - 1)
        if counts.max() > IMBALANCE * others:
            return BALANCED.name
    return ACCURACY.name if ACCURACY.name in names else next((name for name in names if name != "loss"), "loss")


def lead_among(metrics: Iterable[Mapping[str, Any]], name: str | None = None) -> Lead:
    """The metric that leads among those that a recording declares (`Metric.to_dict`).

    Args:
        metrics: by `name`, `title`, `better`, `unit` and `scale`.
        name: which one; the usual one where None.

    Raises:
        UnknownName: there is no such metric.

    >>> lead_among([{"name": "loss", "title": "loss", "better": "lower", "unit": "", "scale": 1.0}]).name
    'loss'
    """
    declared = {metric["name"]: metric for metric in metrics}
    if name is not None and name not in declared:
        raise UnknownName("metric", name, declared)
    chosen = declared[name or usual_lead(declared.values())]
    told = {key: chosen[key] for key in ("name", "title", "better", "unit", "scale")}
    return Lead(**told, at_end=bool(chosen.get("at_end")))
