"""What came of a healing: every try, whether one repairs, and the line to write."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from actlab.statistics.findings.finding import Finding
from actlab.statistics.intervals import Interval, mean_interval
from actlab.wording import DASH, counted, interval, listed, number

# Of three new seeds two, of more so large a share: one may be luck.
REPAIRED_SHARE = 2 / 3
# A healthy twin's score is reached where at most this share of the way from the untreated run is missing.
MISSING = 0.1


@dataclass(frozen=True)
class Reach:
    """The scores that count as repaired, one for each new seed, as numbers of which higher is better.

    Attributes:
        lowest: what has to be reached.
        of: what they are of, in words.
    """

    lowest: tuple[float, ...]
    of: str


@dataclass(frozen=True)
class Try:
    """A change that was tried over new seeds.

    Attributes:
        codes: of the remedies, one or two.
        title, line: what was changed, and what to write.
        scores: by seed; NaN where there is none.
        ended_at: by seed, the step at which it was ended, not being ahead of the untreated run; None of whole ones.
        errors: by seed, what was raised; empty where nothing was.
        difference: mean over pairs of the score less that of the untreated run, in the direction of better; NaN where
            some were ended early, for what is left says too much.
        ci95: Student's t interval of it; None with fewer than two pairs.
        reached: in so many new seeds what is asked for was reached; None where neither a target nor a twin says.
        repaired: whether that is enough of them; None likewise.
        inapplicable: why nothing was trained; empty otherwise.
    """

    codes: tuple[str, ...]
    title: str
    line: str
    scores: tuple[float, ...]
    ended_at: tuple[int | None, ...] = ()
    errors: tuple[str, ...] = ()
    difference: float = math.nan
    ci95: Interval | None = None
    reached: int | None = None
    repaired: bool | None = None
    inapplicable: str = ""

    @property
    def is_better(self) -> bool:
        """Whether the interval of the difference is above zero."""
        return self.ci95 is not None and self.ci95[0] > 0

    @property
    def said(self) -> str:
        """What came of it, in words."""
        ended, failed = sum(own is not None for own in self.ended_at), [own for own in self.errors if own]
        if self.inapplicable:
            return f"not tried: {self.inapplicable}"
        if self.repaired:
            return f"repaired in {self.reached} of {counted(len(self.scores), 'new seed')}"
        if failed:
            return f"{failed[0]} (in {len(failed)} of {counted(len(self.scores), 'seed')})"
        if ended:
            return f"ended early in {ended} of {counted(len(self.scores), 'seed')}, not ahead of the untreated run"
        if not math.isfinite(self.difference):
            return "no score to compare"
        around = f" [{interval(self.ci95)}]" if self.ci95 else ""
        if not self.is_better:
            return f"no better: by {number(self.difference)}{around}"
        short = "" if self.reached is None else f", reached in {self.reached} of {counted(len(self.scores), 'seed')}"
        return f"better by {number(self.difference)}{around}{short}"


@dataclass(frozen=True)
class Healing:
    """What came of `heal`.

    Attributes:
        state: of the untreated run, as `actlab.diagnosis` says it: "faulty", or "healthy", "too_early", "unknown" where
            nothing was found and nothing was tried.
        sentence: the same for people.
        findings: of the untreated run.
        seeds: new ones, over which all was tried; the findings are of another one.
        untreated: scores by seed.
        tries: in their order.
        repaired: whether a change repairs, by validation alone; None where nothing was tried, or neither a target nor
            a twin says what repaired means.
        remedy: the try that repairs; else the best one whose difference is above zero; else None.
        reach: what counts as repaired.
        twin: the scores of the healthy twin by seed; empty without one.
        words: what cannot be tried from outside, as sentences.
        told: further sentences: where it was trained, and what went wrong.
    """

    state: str
    sentence: str
    findings: tuple[Finding, ...] = ()
    seeds: tuple[int, ...] = ()
    untreated: tuple[float, ...] = ()
    tries: tuple[Try, ...] = ()
    repaired: bool | None = None
    remedy: Try | None = None
    reach: Reach | None = None
    twin: tuple[float, ...] = ()
    words: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """What to write; empty where nothing helps, or nothing is wrong."""
        return self.remedy.line if self.remedy else ""

    @property
    def trained(self) -> int:
        """How many changes were tried."""
        return sum(not own.inapplicable for own in self.tries)

    @property
    def ok(self) -> bool:
        """Whether all is well: nothing is wrong, or it is repaired."""
        return self.state != "faulty" or self.repaired is True

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON takes it; NaN is None."""
        return {
            "state": self.state,
            "sentence": self.sentence,
            "findings": [_plain(own) for own in self.findings],
            "seeds": list(self.seeds),
            "untreated": _plain(self.untreated),
            "twin": _plain(self.twin),
            "reach": _plain(self.reach.lowest) if self.reach else None,
            "tries": [_plain(vars(own)) for own in self.tries],
            "tried": self.trained,
            "repaired": self.repaired,
            "remedy": list(self.remedy.codes) if self.remedy else None,
            "line": self.line,
            "words": list(self.words),
            "told": list(self.told),
        }

    def __str__(self) -> str:
        lines = [self.sentence]
        for own in self.findings:
            if own["severity"] == "warning" and own["cause"] is None and own["sentence"] != self.sentence:
                lines.append(own["sentence"])
        if self.state != "faulty":
            return "\n".join([*lines, "No change was tried.", *self.told])
        if self.untreated:
            lines += ["", *_table(self)]
        return "\n".join([*lines, "", *_conclusion(self), *self.words, *self.told])


def tried(
    codes: Sequence[str], title: str, line: str, runs: Sequence[Any], untreated: Sequence[float], sign: float,
    reach: Reach | None,
) -> Try:  # fmt: skip
    """A try from its trainings.

    Args:
        codes, title, line: of the change.
        runs: trainings of the new seeds, each with `score`, `ended_at`, `error`.
        untreated: scores of the same seeds.
        sign: 1 where higher scores are better, -1 where lower are.
        reach: what counts as repaired, or None.
    """
    scores = np.array([own.score for own in runs], float)
    differences = sign * (scores - np.array(untreated, float))
    known = differences[np.isfinite(differences)]
    whole = all(own.ended_at is None for own in runs) and known.size > 0
    reached = None
    if reach is not None:
        # What is no better than without it repairs nothing, however little is asked for.
        better = ~(differences <= 0) & np.isfinite(scores)
        reached = int((better & (sign * scores >= np.array(reach.lowest))).sum())
    enough = None if reached is None else reached >= math.ceil(REPAIRED_SHARE * len(runs) - 1e-9)
    return Try(
        tuple(codes), title, line, tuple(scores.tolist()), tuple(own.ended_at for own in runs),
        tuple(own.error for own in runs), float(known.mean()) if whole else math.nan,
        mean_interval(known) if whole else None, reached, enough,
    )  # fmt: skip


def reach_of(
    target: float | None, twin: Sequence[float], untreated: Sequence[float], sign: float
) -> tuple[Reach | None, str]:
    """The scores that count as repaired, and why there are none.

    A target is what the user says. A twin is reached where a score is that of its worst new seed, or where no more than
    a tenth of the way from the untreated run of the same seed to the twin's mean is missing.
    """
    count = len(untreated)
    if target is not None:
        return Reach((sign * target,) * count, f"the target of {number(target)}"), ""
    if not len(twin):
        return None, "Neither a target nor a healthy twin says when it is repaired: only whether it is better is said."
    scores, before = sign * np.array(twin, float), sign * np.array(untreated, float)
    scores = scores[np.isfinite(scores)]
    if not scores.size:
        return None, "The twin has no score in any new seed: when it is repaired cannot be said."
    mean, worst = float(scores.mean()), float(scores.min())
    known = before[np.isfinite(before)]
    if known.size and not mean > float(known.mean()):
        return None, "The twin is no better than the untreated run: when it is repaired cannot be said by it."
    missing = np.where(np.isfinite(before), MISSING * np.maximum(mean - before, 0), 0.0)
    return Reach(tuple(np.minimum(worst, mean - missing).tolist()), "the healthy twin"), ""


def best_of(tries: Sequence[Try]) -> Try | None:
    """The try that repairs; else the one that is most surely better; None where none is."""
    repairing = next((own for own in tries if own.repaired), None)
    better = [own for own in tries if own.is_better]
    return repairing or max(better, key=lambda own: own.difference, default=None)


def _table(healing: Healing) -> list[str]:
    """Scores by seed, a row for each try."""
    rows = [("untreated", _scores(healing.untreated), "")]
    if healing.twin:
        rows.append(("healthy twin", _scores(healing.twin), ""))
    rows += [(own.title, DASH if own.inapplicable else _scores(own.scores), own.said) for own in healing.tries]
    head = ("", f"seeds {listed(map(str, healing.seeds))}", "")
    widths = [max(len(row[place]) for row in (head, *rows)) for place in range(2)]
    return ["  ".join((row[0].ljust(widths[0]), row[1].ljust(widths[1]), row[2])).rstrip() for row in (head, *rows)]


def _scores(values: Sequence[float]) -> str:
    return "  ".join(number(own).rjust(6) for own in values)


def _conclusion(healing: Healing) -> list[str]:
    own, count = healing.remedy, counted(healing.trained, "try").replace("trys", "tries")
    if own is None:
        return [f"Nothing that was tried helps ({count})." if healing.tries else "There was nothing to try."]
    asked = f", by {healing.reach.of}" if healing.reach else ""
    sentence = f"{own.title[:1].upper()}{own.title[1:]}: {own.said}{asked if own.repaired else ''} ({count})."
    if own.repaired is False:
        sentence += f" It does not repair: {healing.reach.of if healing.reach else 'what is asked for'} is not reached."
    return [sentence, *(f"  {line}" for line in own.line.splitlines())]


def _plain(value: Any) -> Any:
    """A value as JSON takes it."""
    if isinstance(value, dict):
        return {str(key): _plain(own) for key, own in value.items()}
    if isinstance(value, (tuple, list, set, frozenset)):
        return [_plain(own) for own in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int, bool)) else str(value)
