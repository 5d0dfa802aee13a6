"""One training of a user's own, in one seed, under remedies: its score, its losses, and when it was ended."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from actlab.laboratory.healing.remedy import DoesNotApply, Remedy, applied
from actlab.watching.looks import Look

if TYPE_CHECKING:
    from torch import nn

Build = Callable[[], "nn.Module"]
Train = Callable[..., Any]
# After this share of the steps that the untreated run made, a try that is not ahead of it is ended.
EARLY = 0.3
# Losses over this share of the steps so far are taken together, by their median, and over so many at least.
TOGETHER, FEWEST = 0.2, 3


class Ended(BaseException):
    """Ends a user's `train` from within a step of its optimiser; no `Exception`, for a loop might catch that."""


@dataclass(frozen=True)
class Trained:
    """What came of a training.

    Attributes:
        seed: its seed.
        score: what `train` gave; NaN where it gave none.
        steps: of the optimiser.
        losses: of every step, NaN where none was seen.
        ended_at: the step at which it was ended, being no better than the untreated run; None of a whole one.
        error: what `train` raised, in one line; empty where it raised nothing.
        inapplicable: why a remedy had nothing to change; empty where it had.
        seconds: how long it took.
        looks: what was seen of it, if it was watched.
        unwatched: why watching ended before the training did; empty where it did not.
    """

    seed: int
    score: float = math.nan
    steps: int = 0
    losses: tuple[float, ...] = ()
    ended_at: int | None = None
    error: str = ""
    inapplicable: str = ""
    seconds: float = 0.0
    looks: tuple[Look, ...] = field(default=(), repr=False)
    unwatched: str = ""


@dataclass(frozen=True)
class Job:
    """What is trained: a seed, the remedies, and the losses of the untreated run of that seed, or none."""

    seed: int
    remedies: tuple[Remedy, ...] = ()
    against: tuple[float, ...] = ()
    watched: bool = False
    metric: str | None = None


def trained(build: Build, train: Train, job: Job) -> Trained:
    """Train once; what the user's code raises is recorded, and what was changed in the process is put back."""
    from actlab.watching.torch_trial import kept_random

    begun = time.perf_counter()
    with _random_of(job.seed):
        try:
            model = build()
        except Exception as error:
            return Trained(job.seed, error=_line("build", error))
        with ExitStack() as stack:
            looks: list[Look] = []
            course = _Course(model, job.against)
            stack.enter_context(course.heard())
            # Within it: a watch puts things into the process, and takes them out, step by step.
            watch = _watched(stack, model, looks) if job.watched else None
            try:
                with kept_random():  # New weights are drawn apart from what the loop draws.
                    stack.enter_context(applied(job.remedies, model))
            except DoesNotApply as error:
                return Trained(job.seed, inapplicable=str(error))
            score, reason = math.nan, ""
            try:
                score = score_of(train(model, job.seed), job.metric)
            except Ended:
                pass
            except Exception as error:
                reason = _line("train", error)
        return Trained(
            job.seed, score, course.losses.steps, tuple(course.losses.by_step), course.ended_at, reason,
            seconds=time.perf_counter() - begun, looks=tuple(looks), unwatched=(watch.stopped or "") if watch else "",
        )  # fmt: skip


def _watched(stack: ExitStack, model: nn.Module, looks: list[Look]) -> Any:
    from actlab.watching.torch_watch import TorchWatch

    return stack.enter_context(TorchWatch(model, on_look=looks.append))


def score_of(given: Any, metric: str | None) -> float:
    """What `train` gave as a number, by its name where it gave several.

    Raises:
        TypeError: it is no number, or there are several and none is named; the sentence says what was given.

    >>> score_of({"accuracy": 0.5, "loss": 1.2}, "accuracy")
    0.5
    """
    if isinstance(given, Mapping):
        if metric not in given:
            names = ", ".join(map(repr, given))
            raise TypeError(f"it gave {names}, and metric={metric!r} names none of these")
        given = given[metric]
    try:
        return float(given)
    except (TypeError, ValueError):
        raise TypeError(f"a score is expected, one number, and it gave {type(given).__name__}") from None


def is_ahead(losses: Sequence[float], untreated: Sequence[float]) -> bool | None:
    """Whether the loss of a try is below that of the untreated run at the same step; None where it cannot be told.

    >>> is_ahead([3.0, 2.0, 1.0, 1.0], [3.0, 3.0, 3.0, 3.0]), is_ahead([math.nan], [1.0])
    (True, None)
    """
    if len(untreated) < len(losses):
        return None
    own, other = (_smoothed(values[: len(losses)]) for values in (losses, untreated))
    if own is None or other is None:
        return None
    if not math.isfinite(other):
        return math.isfinite(own)
    return own < other


def _smoothed(losses: Sequence[float]) -> float | None:
    """The median over the last steps; infinite where what was seen became no number, None where nothing was seen."""
    if not np.isfinite(losses).any():
        return None
    last = np.asarray(losses[-max(FEWEST, round(TOGETHER * len(losses))) :])
    return float(np.median(np.where(np.isfinite(last), last, math.inf)))


class _Course:
    """Counts steps, hears losses, and ends a training that is not ahead where it should be."""

    def __init__(self, model: nn.Module, against: Sequence[float]) -> None:
        from actlab.laboratory.healing.loop import Losses

        self._model, self._against = model, against
        self.losses = Losses()
        self.ended_at: int | None = None
        self._looked_at = math.ceil(EARLY * len(against)) if against else 0

    @contextmanager
    def heard(self) -> Iterator[None]:
        from actlab.laboratory.healing.loop import around_steps, going_back

        with going_back(self.losses.hear), around_steps(self._model, after=self._after):
            yield

    def _after(self, optimiser: Any) -> None:
        self.losses.step(optimiser)
        if self.losses.steps == self._looked_at and is_ahead(self.losses.by_step, self._against) is False:
            self.ended_at = self.losses.steps
            raise Ended


@contextmanager
def _random_of(seed: int) -> Iterator[None]:
    """All random numbers begin at a seed; afterwards they go on as they were."""
    import torch

    from actlab.watching.torch_trial import kept_random

    with kept_random():
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        yield


def _line(where: str, error: Exception) -> str:
    return f"{where} raised {type(error).__name__}: {' '.join(str(error).split())[:300]}"
