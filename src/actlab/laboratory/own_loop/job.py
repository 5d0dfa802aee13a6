"""One member's training, as what can be handed to another process; how a user's `build` and `train` are called."""

from __future__ import annotations

import inspect
import random
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from actlab.errors import InvalidModel
from actlab.laboratory.own_loop.kept import Outcome, measured
from actlab.laboratory.own_loop.telling import MemberWatch, Misused, first_not_finite, in_rows
from actlab.watching.looks import Look

# Of a reason, so much is kept.
LONGEST = 300


@dataclass(frozen=True)
class Job:
    """A member and all that its training takes.

    Attributes:
        build, train: a user's code.
        activation, seed, factor: which member; the factor is of the learning rate that the loop asks for.
        every: so many steps lie between two looks.
        score: what a number is that `train` returns.
        better: of metrics that are not known by their names, which values are better.
    """

    build: Callable[..., Any]
    train: Callable[..., Any]
    activation: str
    seed: int
    factor: float
    every: int
    score: str
    better: Mapping[str, str]


def takes_act(build: Callable[..., Any]) -> bool:
    """Whether `build` is called with what gives the activation under study.

    Raises:
        InvalidModel: it is nothing that can be called so.

    >>> takes_act(lambda: None), takes_act(lambda act: None)
    (False, True)
    """
    if not callable(build):
        raise InvalidModel(f"build={build!r}: a function is expected, build(act) or build(), that returns a model.")
    try:
        parameters = list(inspect.signature(build).parameters.values())
    except (TypeError, ValueError):  # Some objects that can be called tell nothing of how.
        return False
    needed = [
        own for own in parameters if own.default is own.empty and own.kind not in (own.VAR_KEYWORD, own.VAR_POSITIONAL)
    ]
    if len(needed) > 1 or any(own.kind is own.KEYWORD_ONLY for own in needed):
        names = ", ".join(own.name for own in needed)
        raise InvalidModel(f"build({names}): build(act) or build() is expected; give the others by functools.partial.")
    named = any(own.name == "act" for own in parameters)
    return bool(needed) or named or any(own.kind is own.VAR_POSITIONAL for own in parameters)


def takes_watch(train: Callable[..., Any]) -> str | None:
    """How `train` is given its third argument: "place", "name", or None where it takes only model and seed.

    Raises:
        InvalidModel: it cannot be called with model and seed.

    >>> takes_watch(lambda model, seed, watch: 0), takes_watch(lambda model, seed, epochs=3: 0)
    ('place', None)
    """
    wanted = "train(model, seed, watch) or train(model, seed) is expected"
    if not callable(train):
        raise InvalidModel(f"train={train!r}: {wanted}.")
    try:
        signature = inspect.signature(train)
    except (TypeError, ValueError):
        return "place"
    found: str | None = None
    parameters = list(signature.parameters.values())
    if any(own.name == "watch" and own.kind is own.KEYWORD_ONLY for own in parameters):
        found = "name"
    elif len(parameters) > 2:
        third = parameters[2]
        needed = third.default is third.empty and third.kind in (third.POSITIONAL_ONLY, third.POSITIONAL_OR_KEYWORD)
        found = "place" if needed or third.name == "watch" else None
    if any(own.kind is own.VAR_POSITIONAL for own in parameters[:3]):
        found = "place"
    try:
        signature.bind(
            "model", 0, *(["watch"] if found == "place" else []), **({"watch": 0} if found == "name" else {})
        )
    except TypeError:
        names = ", ".join(map(str, parameters))
        raise InvalidModel(f"train({names}): {wanted}; give other arguments by functools.partial.") from None
    return found


@dataclass(frozen=True)
class Raised:
    """What a training raised.

    Attributes:
        reason: in a line.
        where: file and line of the user's code that it came from.
    """

    reason: str
    where: str


def trained(job: Job, model: Any, watch: MemberWatch) -> tuple[dict[str, float], Raised | None]:
    """Call `train`: the metrics of what it returned, and what it raised."""
    how = takes_watch(job.train)
    try:
        if how == "name":
            value = job.train(model, job.seed, watch=watch)
        else:
            value = job.train(model, job.seed, *([watch] if how == "place" else []))
        return watch.result(value, job.score), None
    except Misused:
        raise
    except Exception as error:  # Whatever it is, the other members go on.
        return {}, Raised(reason_of(error), _where(error))


def _where(error: Exception) -> str:
    """The first line outside of this file that what was raised came through."""
    frames = [own for own in traceback.extract_tb(error.__traceback__) if own.filename != __file__]
    return f"{Path(frames[0].filename).name}, line {frames[0].lineno}" if frames else ""


def reason_of(error: Exception) -> str:
    """What was raised, in a line.

    >>> reason_of(ValueError("too  many")), reason_of(AssertionError())
    ('ValueError: too many', 'AssertionError: without a text')
    """
    text = " ".join(str(error).split()) or "without a text"
    return f"{type(error).__name__}: {text}"[:LONGEST]


def outcome(
    job: Job,
    watch: MemberWatch,
    result: Mapping[str, float],
    raised: Raised | None,
    first: Look | None,
    told: dict[str, Any],
) -> Outcome:
    """What a member's training left.

    Args:
        job: the member.
        watch: what it told.
        result: metrics of what it returned.
        raised: what it ended with before its end; None where it came to that.
        first: the first look at the network.
        told: what is known besides, JSON-safe.
    """
    rows = in_rows(watch.rows, first, watch.look(), watch.steps(), result)
    ended = first_not_finite(rows)
    if raised is not None and (ended is None or not watch.rows):
        # It ended in the epoch after the last that was told.
        ended = len(rows) - (0 if watch.rows else 1), raised.reason
    seen, arrays = measured(rows)
    facts = {"steps": watch.steps(), "epochs": bool(watch.rows), "raised": None if raised is None else raised.where}
    metrics = tuple(dict(row.metrics) for row in rows)
    return Outcome(job.activation, job.seed, job.factor, metrics, ended, {**seen, **facts, **told}, arrays)


@contextmanager
def python_randomness() -> Iterator[None]:
    """What Python and NumPy draw afterwards is as if nothing had been drawn within."""
    before, numpy_before = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(numpy_before)  # noqa: NPY002


def seed_python(seed: int) -> None:
    """Seed Python's and NumPy's global generators."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002


class Clock:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()

    def seconds(self) -> float:
        """Rounded to what a clock tells of a training."""
        return round(time.perf_counter() - self._begun, 3)
