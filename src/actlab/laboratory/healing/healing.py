"""Heal a training of a user's own: look, choose, try over new seeds, and say by validation alone what helps.

Nothing in the user's code is changed: weights and modules are changed after `build`, and the loop from outside while it
runs. A try ends early where at 30 % of the steps of the untreated run its training loss is not below that one's. That
ends `train` by an exception from within `optimizer.step()`, which is no `Exception` and is caught here. Where the loss
is not seen, or a remedy makes it another one, nothing ends early. Where no single remedy repairs, two that did best are
tried together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from actlab.diagnosis.judgement import judge_of
from actlab.errors import InvalidModel
from actlab.laboratory.healing.choice import chosen
from actlab.laboratory.healing.outcome import Healing, Reach, Try, best_of, reach_of, tried
from actlab.laboratory.healing.processes import Trainings, processes_for
from actlab.laboratory.healing.remedy import Remedy
from actlab.laboratory.healing.trial import Build, Job, Train, Trained, trained
from actlab.statistics.findings.codes import checked

# The seed of the run that is looked at; others are new.
LOOKED_AT = 0
# Pairs of remedies are made of so many single ones that did best, and none is tried beyond so many.
PAIRED, MOST_TRIES = 3, 12


def heal(
    build: Build,
    train: Train,
    *,
    seeds: int = 3,
    target: float | None = None,
    twin: tuple[Build, Train] | None = None,
    better: str = "higher",
    metric: str | None = None,
    mute: Collection[str] = (),
    processes: int | None = None,
    most_tries: int = MOST_TRIES,
    progress: Callable[[str], None] | None = None,
) -> Healing:
    """Find out what helps a PyTorch training that goes wrong, by trying it.

    The untreated training is watched in seed 0. Of what is found, remedies are tried in the order of their causes, each
    in the same new seeds, and held against the untreated run of the same seed. Where nothing is found nothing is tried.
    *Repaired* is said by scores on validation data alone, in two of three new seeds or more: those that reach your
    `target`, or those of a healthy `twin`. Without either it is said whether a remedy is better, and by how much.

    Args:
        build: gives the model, new at each call; random numbers begin at the seed before it.
        train: `train(model, seed)` trains it, with an optimiser that it makes, and gives its score on validation data:
            a number, or several by name.
        seeds: so many new ones, from 1 on.
        target: the score that counts as repaired.
        twin: build and train of a network that is known to be healthy on the same data.
        better: "higher" or "lower", of scores.
        metric: the name of the score, where `train` gives several.
        mute: codes of findings that are left alone.
        processes: train in so many; None for as many as there are cores where a training takes more than ten seconds.
            What is given must then be of a module that others can import, or guarded by `if __name__ == "__main__"`.
        most_tries: an end to trying.
        progress: called with a sentence before each try.

    Returns:
        the findings, every try, and the line to write; `print` shows it.

    Raises:
        InvalidModel: `train` raises before the first step, or never makes one. UnknownName: no such code to mute.
    """
    if better not in ("higher", "lower"):
        raise InvalidModel(f"better={better!r}: higher or lower is expected.")
    if seeds < 2:
        raise InvalidModel(f"seeds={seeds}: two new seeds or more are expected, for one may be luck.")
    sign, news = 1.0 if better == "higher" else -1.0, tuple(range(LOOKED_AT + 1, LOOKED_AT + 1 + seeds))
    muted = checked(mute)
    first, told = _looked_at(build, train, metric)
    verdict = judge_of(first.looks).verdict(muted)
    found = Healing(verdict.state, verdict.sentence, verdict.findings, told=tuple(told))
    if verdict.state != "faulty":
        return found
    remedies, words = chosen(verdict.findings, first.looks)
    found = replace(found, words=tuple(words))
    if not remedies:
        return replace(found, repaired=False)
    count = processes_for(processes, first.seconds, seeds)
    with Trainings(build, train, count, asked=processes is not None) as place:
        search = _Search(place, news, sign, metric, progress or (lambda _: None))
        search.begin(target, twin)
        search.singles(remedies[:most_tries])
        search.pairs(remedies, most_tries)
        return search.outcome(found)


def _looked_at(build: Build, train: Train, metric: str | None) -> tuple[Trained, list[str]]:
    """The untreated training, watched, and what is to be said of it."""
    first = trained(build, train, Job(LOOKED_AT, watched=True, metric=metric))
    if not first.steps:
        why = first.error or "no optimiser that holds its parameters made a step"
        raise InvalidModel(f"the untreated training cannot be looked at: {why}.")
    told = [f"Watching ended before the training did ({first.unwatched})."] if first.unwatched else []
    return first, [*told, *([f"In seed {LOOKED_AT}, {first.error}."] if first.error else [])]


@dataclass
class _Search:
    """Tries remedies one after the other, until one repairs."""

    place: Trainings
    seeds: Sequence[int]
    sign: float
    metric: str | None
    progress: Callable[[str], None]
    untreated: list[Trained] = field(default_factory=list)
    twin: list[float] = field(default_factory=list)
    reach: Reach | None = None
    why: str = ""
    tries: list[Try] = field(default_factory=list)
    _of: list[tuple[Try, Remedy]] = field(default_factory=list)

    def begin(self, target: float | None, twin: tuple[Build, Train] | None) -> None:
        """Train untreated in the new seeds, and the twin."""
        self.progress("untreated")
        self.untreated = self.place.all([Job(seed, metric=self.metric) for seed in self.seeds])
        if twin is not None and target is None:
            self.progress("the healthy twin")
            self.twin = [trained(*twin, Job(seed, metric=self.metric)).score for seed in self.seeds]
        before = [own.score for own in self.untreated]
        self.reach, self.why = reach_of(target, self.twin, before, self.sign)

    def singles(self, remedies: Sequence[Remedy]) -> None:
        """Try one after the other; without a word on what repaired means, all."""
        for remedy in remedies:
            own = self._try((remedy,))
            self._of.append((own, remedy))
            if own.repaired:
                return

    def pairs(self, remedies: Sequence[Remedy], most: int) -> None:
        """Where none repairs, two of different kinds together, of those that did best."""
        if self.reach is None or any(own.repaired for own in self.tries):
            return
        order = {remedy.code: place for place, remedy in enumerate(remedies)}
        usable = [(own, remedy) for own, remedy in self._of if not own.inapplicable]
        ranked = sorted(usable, key=lambda one: (-self._merit(one[0]), order[one[1].code]))
        best = [remedy for _, remedy in ranked[: PAIRED + 1]]
        for first, second in [two for two in combinations(best, 2) if two[0].kind != two[1].kind][:PAIRED]:
            if len(self.tries) >= most or self._try(_ordered(first, second)).repaired:
                return

    def outcome(self, found: Healing) -> Healing:
        """What was found, with what came of trying."""
        repaired = None if self.reach is None else any(own.repaired for own in self.tries)
        return replace(
            found, seeds=tuple(self.seeds), untreated=tuple(own.score for own in self.untreated), twin=tuple(self.twin),
            tries=tuple(self.tries), repaired=repaired, remedy=best_of(self.tries), reach=self.reach,
            told=(*found.told, *([self.why] if self.why else []), self.place.told),
        )  # fmt: skip

    def _merit(self, own: Try) -> float:
        scores = [self.sign * one for one in own.scores if math.isfinite(one)]
        return sum(scores) / len(scores) if scores else -math.inf

    def _try(self, remedies: tuple[Remedy, ...]) -> Try:
        codes = tuple(own.code for own in remedies)
        title, line = " and ".join(own.title for own in remedies), "\n".join(own.line for own in remedies)
        self.progress(title)
        comparable = all(own.comparable for own in remedies)
        jobs = [Job(own.seed, remedies, own.losses if comparable else (), metric=self.metric) for own in self.untreated]
        runs: list[Any] = self.place.all(jobs)
        why = next((own.inapplicable for own in runs if own.inapplicable), "")
        if why:
            nothing = (math.nan,) * len(runs)
            made = Try(codes, title, line, nothing, inapplicable=why)
        else:
            before = [own.score for own in self.untreated]
            made = tried(codes, title, line, runs, before, self.sign, self.reach)
        self.tries.append(made)
        return made


def _ordered(first: Remedy, second: Remedy) -> tuple[Remedy, Remedy]:
    """Of two the one that changes functions before the one that draws weights for them."""
    kinds = ("function", "normalisation", "start")
    places = [kinds.index(own.kind) if own.kind in kinds else len(kinds) for own in (first, second)]
    return (first, second) if places[0] <= places[1] else (second, first)
