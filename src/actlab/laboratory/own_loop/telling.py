"""What a training tells of itself, row by row: the `watch` that a loop of a user's own is given."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from actlab.errors import InvalidModel, shortened
from actlab.objectives import PARTS
from actlab.objectives.own import KNOWN, known_metric
from actlab.watching.looks import Look

_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Misused(InvalidModel):
    """What ends a comparison, and not the training of one member alone: no member can do better."""


@dataclass
class Row:
    """What is known after an epoch.

    Attributes:
        metrics: by name, as "validation_loss".
        steps: that the optimiser had made.
        look: the latest at the network; None where there is none.
    """

    metrics: dict[str, float]
    steps: int = 0
    look: Look | None = None


@dataclass
class MemberWatch:
    """Given to a training of one's own: tell it of every epoch.

    Attributes:
        better: of metrics that are not known by their names, which values are better.
        steps: how many steps the optimiser has made.
        look: the latest look at the network.
        rows: what was told.
    """

    better: Mapping[str, str]
    steps: Callable[[], int] = lambda: 0
    look: Callable[[], Look | None] = lambda: None
    rows: list[Row] = field(default_factory=list)

    def epoch(self, **metrics: Any) -> None:
        """Tell of an epoch that has ended; before the first step, of the untrained network.

        Args:
            **metrics: numbers, named PART_NAME: PART is "train", "validation" or "test", NAME "loss", "accuracy" or
                another metric, as in `watch.epoch(train_loss=0.3, validation_accuracy=0.9)`.

        Raises:
            InvalidModel: a name of another form, one of which nobody said which values are better, or no number.
        """
        self.rows.append(Row(checked(metrics, self.better, "watch.epoch"), self.steps(), self.look()))


def checked(metrics: Mapping[str, Any], better: Mapping[str, str], where: str) -> dict[str, float]:
    """Metrics as numbers by their names.

    Raises:
        Misused: see `MemberWatch.epoch`.

    >>> checked({"test_accuracy": 1}, {}, "watch.epoch")
    {'test_accuracy': 1.0}
    >>> checked({"test_bleu": 1}, {}, "watch.epoch")
    Traceback (most recent call last):
    actlab.laboratory.own_loop.telling.Misused: watch.epoch(test_bleu=…): which values of 'bleu' are better, nobody \
has said: compare(…, better={'bleu': "higher"}), or "lower". Known are accuracy, balanced_accuracy, f1, loss, mae, \
perplexity, r2, rmse, score.
    """
    found = {}
    for key, value in metrics.items():
        part, _, name = str(key).partition("_")
        if part not in PARTS or not _NAME.fullmatch(name):
            raise Misused(
                f"{where}({key}=…): PART_NAME is expected, PART one of {', '.join(PARTS)}, as in validation_loss or "
                "test_accuracy."
            )
        if known_metric(name, better.get(name)) is None:
            raise Misused(
                f"{where}({key}=…): which values of {name!r} are better, nobody has said: compare(…, "
                f'better={{{name!r}: "higher"}}), or "lower". Known are {", ".join(sorted(KNOWN))}.'
            )
        try:
            found[key] = float(value)
        except (TypeError, ValueError):
            raise Misused(f"{where}({key}={shortened(value)}): a number is expected.") from None
    return found


def returned(value: Any, better: Mapping[str, str], score: str) -> dict[str, float]:
    """What a training returned, as metrics of its last row: a mapping of them, or a number, which is the score."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return checked(value, better, "train returned ")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise Misused(
            f"train returned {shortened(value)}: nothing, a number ({score}) or a mapping of metrics is expected, as "
            '{"test_accuracy": 0.9}.'
        ) from None
    return checked({score: number}, better, "train returned ")


def in_rows(
    told: list[Row], first: Look | None, last: Look | None, steps: int, result: Mapping[str, float]
) -> list[Row]:
    """All rows of a training, the untrained network first.

    Args:
        told: of the epochs.
        first, last: looks at the network, where nothing was told.
        steps: that the optimiser made in all.
        result: what the training returned, of its end.
    """
    rows = list(told)
    if not rows:
        rows = [Row({}, steps, last)]
    # What is told before any step is of the untrained network; where no step is seen at all, nobody knows.
    if len(rows) == 1 or rows[0].steps > 0 or steps == 0:
        rows = [Row({}, 0, first if first is not None and first.step == 0 else None), *rows]
    rows[-1] = Row({**rows[-1].metrics, **result}, rows[-1].steps, rows[-1].look)
    return rows


def first_not_finite(rows: list[Row]) -> tuple[int, str] | None:
    """The first row with a loss that is not finite, and what it became."""
    for number, row in enumerate(rows):
        for name, value in row.metrics.items():
            if name.endswith("_loss") and not math.isfinite(value):
                return number, f"{name} became {'NaN' if math.isnan(value) else 'infinite'}"
    return None
