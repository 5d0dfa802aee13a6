"""All findings of a training that is watched, a cause before what follows from it, and what can be said in all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from actlab.diagnosis.course import POOR, Course, course_of, loss_at
from actlab.diagnosis.data import DATA
from actlab.diagnosis.elsewhere import no_logarithm, worded
from actlab.diagnosis.exact import EXACT, OTHERS, not_finite, not_held
from actlab.diagnosis.nothing import Neighbours, neighbours_of, nothing_learnt
from actlab.diagnosis.outputs import OUTPUTS
from actlab.diagnosis.soft import soft, untrained
from actlab.statistics.findings.finding import Finding
from actlab.watching.looks import Look
from actlab.wording import number

# So many looks one after the other have to show what is told by measure, and so many not to, until it is taken back.
FIRE, CLEAR = 2, 3
# Of a long training the rules read so many looks from its beginning, and so many last ones.
BEGINNING, LAST = 12, 12
# What is certain, in the order in which it spoils a training; and what of it is a cause of its own beside others.
_CERTAIN = (*EXACT[:5], *OUTPUTS, no_logarithm, *EXACT[5:], *DATA)
_ORDER = [
    "input_not_finite", "missing_zero_grad", "detached", "not_in_optimiser", "rate_of_zero", "softmax_twice",
    "function_before_loss", "no_log_probabilities", "targets_out_of_reach", "evaluating", "single_sample",
    "units_alike", "no_function", "dropout_too_high", "clipped", "loss_not_finite", "inputs_off_scale",
    "start_too_large", "decay_too_strong", "rate_too_high", "underflow", "loss_does_not_suit", "dead_units",
    "saturated", "vanishing_signal", "vanishing_gradient", "class_imbalance", "rate_too_low", "frozen_layers",
    "labels_unlearnable", "learns_nothing", "unused_layers",
]  # fmt: skip
# Said where nothing else is found.
_NOTHING = {"labels_unlearnable", "learns_nothing"}
# Two of these are two faults: neither comes from the other.
_APART = set(_ORDER[1:16]) - {"function_before_loss", "clipped"}


@dataclass(frozen=True)
class Verdict:
    """What can be said of a training in all.

    Attributes:
        state: "faulty", "healthy" (so far), "too_early", or "unknown" where it cannot be told whether it learns.
        sentence: the same for people.
        findings: what was found, a cause before what follows from it.
    """

    state: str
    sentence: str
    findings: tuple[Finding, ...] = ()


class Judge:
    """Hears looks one after the other, and says what is wrong by all so far.

    What is certain is said at once, and stays said. What is told by measure is said when FIRE looks one after the other
    show it, and taken back when CLEAR do not. What is asked of a look does not grow with their number.
    """

    def __init__(self) -> None:
        self._first: list[Look] = []
        self._last: list[Look] = []
        self._certain: dict[str, Finding] = {}
        self._measured: dict[str, Finding] = {}
        self._shown: dict[str, int] = {}
        self._missing: dict[str, int] = {}
        self._said: set[str] = set()
        self._highest = float("nan")
        self._neighbours: Neighbours | None = None
        self._went: Course | None = None

    def add(self, look: Look) -> None:
        """Take in what was seen at one more step."""
        if len(self._first) < BEGINNING:
            self._first.append(look)
        else:
            self._last = [*self._last[-LAST + 1 :], look]
        looks = [*self._first, *self._last]
        if np.isfinite(loss := loss_at(look)):
            self._highest = float(np.nanmax([self._highest, loss]))
        for rule in _CERTAIN:
            found = rule(look, looks)
            if found is not None and found["code"] not in self._certain:
                self._certain[found["code"]] = worded(found, look) | {"step": look.step}
        self._went = course_of(looks, self._highest)
        self._count({own["code"]: worded(own, look) for own in soft(looks, self._went)})
        others = [own for own in self.findings if own["severity"] == "warning" and own["code"] not in _NOTHING]
        nothing = None
        if self._went.poor and not others:
            # Samples are seen at first alone: once is enough.
            if self._neighbours is None or "sample" in look.facts:
                self._neighbours = neighbours_of(looks)
            nothing = nothing_learnt(looks, self._went, self._neighbours)
        self._count({nothing["code"]: nothing} if nothing else {}, _NOTHING)

    def end(self, step: int) -> None:
        """Take in that weights were not finite when the training ended, if this was not seen before.

        Args:
            step: of the end.
        """
        looks = [*self._first, *self._last]
        if not looks or not np.isfinite(looks[-1].loss):
            return
        last = looks[-1]
        facts = {**last.facts, "loss_seen": True, "output_size": float("nan"), "finite_input": True}
        lost = replace(last, step=step, loss=float("nan"), functions=(), weights=(), facts=facts)
        if (found := not_finite(lost, [*looks, lost])) is not None and found["code"] not in self._certain:
            self._certain[found["code"]] = found | {"step": step}

    def _count(self, shown: dict[str, Finding], codes: set[str] | None = None) -> None:
        """Which findings by measure are said, by how often they were shown of late."""
        known = codes or (set(shown) | set(self._shown) | self._said) - _NOTHING
        for code in known:
            if code in shown:
                self._shown[code] = self._shown.get(code, 0) + 1
                self._missing[code] = 0
                begun = self._measured[code]["step"] if code in self._measured else shown[code]["step"]
                self._measured[code] = shown[code] | {"step": begun}
                if self._shown[code] >= FIRE:
                    self._said.add(code)
                continue
            self._shown[code] = 0
            self._missing[code] = self._missing.get(code, 0) + 1
            if code not in self._said or self._missing[code] >= CLEAR:
                self._said.discard(code)
                self._measured.pop(code, None)

    @property
    def findings(self) -> list[Finding]:
        """What is said now: causes first, each other one with the `cause` that it follows from."""
        return self._without(frozenset())

    def _without(self, muted: Collection[str]) -> list[Finding]:
        own = self._certain | {code: self._measured[code] for code in self._said if code not in self._certain}
        own = {code: one for code, one in own.items() if code not in muted}
        return _ordered(own.values())

    def verdict(self, muted: Collection[str] = ()) -> Verdict:
        """What can be said in all, as if findings of some codes were none."""
        found, went = tuple(self._without(muted)), self._went
        causes = [own for own in found if own["severity"] == "warning" and own["cause"] is None]
        if causes:
            return Verdict("faulty", causes[0]["sentence"], found)
        if went is None or went.early:
            return Verdict("too_early", "It is too early to say whether the network learns.", found)
        if not np.isfinite(went.share):
            return Verdict("unknown", f"Whether the network learns cannot be told: {went.why}.", found)
        if went.share <= POOR:
            sentence = f"The network learns: its loss is {number(went.share)} times the best constant answer's."
            return Verdict("healthy", sentence, found)
        if went.answers and not went.falling:
            sentence = (
                f"The network learns: what it answers follows the input, though its loss is {number(went.share)} times "
                "the best constant answer's."
            )
            return Verdict("healthy", sentence, found)
        falls = "and still falls" if went.falling else "at the last looks"
        sentence = f"It is too early to say: the loss is {number(went.share)} times the best constant answer's {falls}."
        return Verdict("too_early", sentence, found)


def _ordered(own: Iterable[Finding]) -> list[Finding]:
    """Findings with a cause before what follows from it, each of these with its `cause`."""
    found = sorted(own, key=lambda one: _ORDER.index(one["code"]))
    warnings = [one for one in found if one["severity"] == "warning"]
    # Beside another cause it is no news that nothing is learnt.
    if warnings and warnings[0]["code"] not in _NOTHING:
        found = [one for one in found if one["code"] not in _NOTHING]
    if not warnings:
        return found
    root = warnings[0]["code"]
    return [one | {"cause": root} if _follows(one, root) else one for one in found]


def _follows(found: Finding, root: str) -> bool:
    return found["severity"] == "warning" and found["code"] != root and found["code"] not in _APART


def judge_of(looks: Sequence[Look]) -> Judge:
    """A judge that has heard these looks."""
    judge = Judge()
    for look in looks:
        judge.add(look)
    return judge


def findings_of(looks: Sequence[Look]) -> list[Finding]:
    """What is wrong, by all that was seen so far: what is certain first, then what is told by measure.

    Of several findings the first is the cause, and the others follow from it, but for faults that have nothing to do
    with each other. Where nothing is found of a network that learns no more than a constant answer, that alone is said.
    Nothing by measure of a network that learns.

    Args:
        looks: in the order of their steps.
    """
    return judge_of(looks).findings


def verdict_of(looks: Sequence[Look]) -> Verdict:
    """What can be said of a training in all: see `Verdict`.

    >>> verdict_of([]).state
    'too_early'
    """
    return judge_of(looks).verdict()


def before_training(looks: Sequence[Look]) -> list[Finding]:
    """What is wrong with a network that is not trained yet: all that is certain, and what its first look shows.

    Args:
        looks: at the first step, and perhaps at some after it.
    """
    if not looks:
        return []
    judge, last = judge_of(looks), looks[-1]
    own = {found["code"]: found for found in untrained(looks[0])} | {found["code"]: found for found in judge.findings}
    # The optimiser was given: no other one steps later.
    if last.step and (found := not_held(replace(last, step=OTHERS), looks)):
        own[found["code"]] = found | {"step": last.step}
    return _ordered(own.values())
