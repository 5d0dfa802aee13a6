"""A study healed: remedies of its findings trained over new seeds, and the change as a diff of the study's file."""

from __future__ import annotations

import difflib
import math
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from actlab.errors import InvalidStudy, RecordingFailed
from actlab.laboratory.healing.outcome import Healing, Try, best_of, reach_of, tried
from actlab.recording import Recording
from actlab.statistics.remedies import Step, causes, rates, remedies
from actlab.statistics.selection import Reported, by_seed, conditions_of, reported
from actlab.study import Study
from actlab.study.changes import changed
from actlab.tasks import Task

# Options of `actlab compare` that remedies are made of, and the settings they are.
_NUMBERS = {"--scale": "scale", "--epochs": "epochs"}


@dataclass(frozen=True)
class _Change:
    """A change of a study: why, and the settings that are other ones."""

    sentence: str
    settings: Mapping[str, Any]
    assignments: tuple[str, ...] = ()

    def of(self, study: Study) -> Study:
        return changed(study, self.settings, self.assignments)


@dataclass(frozen=True)
class _Scores:
    """The scores of a study by seed, as `tried` takes them."""

    score: float
    ended_at: int | None = None
    error: str = ""


def heal_study(
    recording: Recording,
    directory: str | Path,
    *,
    activation: str | None = None,
    seeds: int = 3,
    target: float | None = None,
    twin: str | None = None,
    task: Task | None = None,
    progress: Callable[[str], None] | None = None,
) -> Healing:
    """Find out what helps an activation of a study that goes wrong, by training it.

    Each remedy of what was found is trained in the same new seeds as the study as it stands, and both are held against
    each other by the metric that leads, on validation data. What repairs is said by a `target` or a healthy `twin`
    alone, as `actlab.heal` does.

    Args:
        recording: of the study; it is not changed.
        directory: a new one, for the recordings of all tries.
        activation: which one; that with the first warning where None.
        seeds: so many new ones, behind the largest of the study.
        target: the score that counts as repaired, in the unit of the metric: 0.9 of an accuracy.
        twin: another activation of the study, with which nothing is wrong.
        task: the data, if they are at hand.
        progress: called with a sentence before each try.

    Returns:
        what came of it; its `line` is a diff of the study's file.

    Raises:
        InvalidStudy: an activation or twin that is not in the study, or a twin with which something is wrong.
        RecordingFailed: the directory is there already.
    """
    wrong, found = _checked(recording, activation, twin, seeds)
    own = activation or next(iter(wrong), None)
    if own is None or own not in wrong:
        what = "of this study" if own is None else f"with {own}"
        return Healing("healthy", f"No warning is found {what}.", tuple(found))
    if Path(directory).exists():
        raise RecordingFailed(f"{directory} is there already: name a new directory for the tries.")
    told = [f"Something is wrong with {name}, too: name it to heal it." for name in wrong if name != own]
    entries = {one.activation: one for one in reported(recording)}
    changes, words = _changes(recording, entries[own], wrong[own])
    made = Healing("faulty", wrong[own][0]["sentence"], tuple(wrong[own]), words=tuple(words), told=tuple(told))
    if not changes:
        return replace(made, repaired=False)
    search = _Search(recording, Path(directory), own, seeds, task, progress or (lambda _: None))
    beside = None if target is not None or twin is None else entries[twin]
    return search.outcome(made, search.base(entries[own].learning_rate), changes, target, beside)


def _checked(
    recording: Recording, activation: str | None, twin: str | None, seeds: int
) -> tuple[dict[str, list[Any]], list[Any]]:
    """By activation what is wrong, and all findings; raises where what is asked for makes no sense."""
    from actlab.statistics import summarise

    for name in filter(None, (activation, twin)):
        if name not in recording.study.activations:
            names = ", ".join(recording.study.activations)
            raise InvalidStudy(f"{name} is no activation of this study: it has {names}.")
    if seeds < 2:
        raise InvalidStudy(f"seeds={seeds}: two new seeds or more are expected, for one may be luck.")
    found = summarise(recording)["findings"]
    wrong = _wrong(found, recording.study.activations)
    if twin in wrong:
        raise InvalidStudy(f"{twin} is no healthy twin: {wrong[str(twin)][0]['sentence']}")
    return wrong, found


def _wrong(found: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, list[Any]]:
    """By activation the warnings that follow from no other; those of all where the inputs are wrong."""
    wrong: dict[str, list[Any]] = {}
    for own in causes(found):
        for name in [own["activation"]] if own["activation"] else names:
            wrong.setdefault(name, []).append(own)
    return wrong


def _changes(recording: Recording, entry: Reported, found: Sequence[Any]) -> tuple[list[_Change], list[str]]:
    """The changes that remedies ask for, one at a time; and in words what no setting of a study helps with."""
    steps = [*remedies(recording, [entry], found), *rates(recording, [entry], found)]
    return [change for step in steps for change in _of_step(step, entry)], [
        said for said, options in steps if not options
    ]


def _of_step(step: Step, entry: Reported) -> Iterator[_Change]:
    """A step's options as settings; where it offers several values, a change for each, the nearest first."""
    sentence, options = step
    words = shlex.split(options)
    given = dict(zip(words[::2], words[1::2], strict=True))
    assignments = tuple(value for name, value in given.items() if name == "--set")
    fixed: dict[str, Any] = {name: float(given[option]) for option, name in _NUMBERS.items() if option in given}
    if "epochs" in fixed:
        fixed["epochs"] = int(fixed["epochs"])
    if "--init" in given:
        fixed["init"] = given["--init"]
    new_rates = [float(rate) for rate in given.get("--learning-rates", "").split(",") if rate]
    names = [name for name in given.get("--activations", "").split(",") if name and name != entry.activation]
    if new_rates:
        for rate in sorted(new_rates, key=lambda own: abs(math.log(own / entry.learning_rate))):
            yield _Change(f"a learning rate of {rate:g}", fixed | {"learning_rates": [rate]}, assignments)
    elif names:
        for name in names:
            yield _Change(f"{name} instead of {entry.activation}", fixed | {"activations": [name]}, assignments)
    elif fixed or assignments:
        yield _Change(sentence.rstrip("."), fixed, assignments)


def _codes(change: _Change) -> list[str]:
    return [*change.settings, *(text.partition("=")[0] for text in change.assignments)]


def _diff(before: Study, after: Study) -> str:
    """What is another in the study's file, as a diff."""
    former, new = (own.to_toml().splitlines() for own in (before, after))
    return "\n".join(difflib.unified_diff(former, new, "study.toml", "study.toml", n=1, lineterm=""))


class _Search:
    """Trains variants of a study in new seeds."""

    def __init__(
        self, recording: Recording, directory: Path, activation: str, seeds: int, task: Task | None,
        progress: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._recording, self._directory, self._activation = recording, directory, activation
        first = max(recording.study.seeds) + 1
        self.seeds = list(range(first, first + seeds))
        self._task, self._progress = task, progress
        self._lead = recording.lead
        self.sign = 1.0 if self._lead.better == "higher" else -1.0

    def base(self, rate: float) -> Study:
        """The study as it stands, of one activation at its rate, in the new seeds."""
        given = {"activations": [self._activation], "seeds": self.seeds, "learning_rates": [rate], "stated_rate": None}
        return changed(self._recording.study, given)

    def outcome(
        self, found: Healing, base: Study, changes: Sequence[_Change], target: float | None, twin: Reported | None
    ) -> Healing:
        """Try changes until one repairs, and add to what was found what came of it."""
        untreated, beside = self.scores(base, self._activation, "untreated"), list[float]()
        if twin is not None:
            given = {"activations": [twin.activation], "learning_rates": [twin.learning_rate]}
            beside = self.scores(changed(base, given), twin.activation, "twin")
        reach, why = reach_of(target, beside, untreated, self.sign)
        tries: list[Try] = []
        for place, change in enumerate(changes, start=1):
            new = change.of(base)
            runs = [_Scores(own) for own in self.scores(new, new.activations[0], f"try{place}", change.sentence)]
            line = _diff(base, new)
            tries.append(tried(_codes(change), change.sentence, line, runs, untreated, self.sign, reach))
            if tries[-1].repaired:
                break
        repaired = None if reach is None else any(own.repaired for own in tries)
        told = (*found.told, *([why] if why else []), f"All recordings are in {self._directory}.")
        return replace(
            found, seeds=tuple(self.seeds), untreated=tuple(untreated), twin=tuple(beside), tries=tuple(tries),
            repaired=repaired, remedy=best_of(tries), reach=reach, told=told,
        )  # fmt: skip

    def scores(self, study: Study, activation: str, name: str, sentence: str = "") -> list[float]:
        """Train, and give the last validation values of the leading metric by seed; NaN of those that diverged."""
        from actlab import engine

        self._progress(sentence or name)
        task = self._task if study.scale == self._recording.study.scale else None
        directory = self._directory / name
        made = engine.train(study, directory, task=task)
        condition = next((own for own in conditions_of(made) if own.name == study.init), conditions_of(made)[0])
        entry = next(own for own in reported(made, condition) if own.activation == activation)
        # What is known of test data at the end alone has no value on validation data.
        metric = self._lead.validation if self._lead.validation in made.metrics else "validation_loss"
        if metric == "validation_loss":
            self.sign = -1.0
        return by_seed(made, entry, metric)
