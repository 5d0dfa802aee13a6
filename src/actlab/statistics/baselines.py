"""What is had without looking at the input: always naming one class, guessing, always giving one number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from actlab.objectives import ACCURACY, BALANCED, Lead, lead_in
from actlab.recording import Recording
from actlab.statistics.intervals import binomial_tail
from actlab.wording import listed, number


class Baseline(NamedTuple):
    """An answer that takes no network.

    Attributes:
        name: of it, as "always '1'".
        hint: what it is, in words.
        value: of the metric that leads, on the test data.
    """

    name: str
    hint: str
    value: float


def baselines_of(recording: Recording, derived: bool = False) -> dict[str, Any]:
    """What a summary holds of them: `majority`, `chance` and `constant`, None where a recording does not tell them.

    `majority` is the class that is most frequent in the training data, and the test accuracy of always naming it, with
    what derived metrics make of the same outputs for all samples: 0.5 of ROC AUC, the share of the class of average
    precision, the mean over classes where these are several; that is held of the one that leads, or of
    all if `derived`;
    `chance` the accuracy of guessing, each class as often as any other; `constant`, where targets are numbers, the
    answer that makes the training loss least, and every metric of always giving it.
    """
    classes = len(recording.facts["classes"])
    chance = 1 / classes if classes else None
    return {"majority": _majority(recording, derived), "chance": chance, "constant": recording.facts.get("constant")}


def _majority(recording: Recording, derived: bool) -> dict[str, Any] | None:
    training, test = (recording.facts.get(name) for name in ("class_counts", "test_class_counts"))
    if not training or not test or not sum(test):
        return None
    label = int(np.argmax(training))
    found = {"class": recording.facts["classes"][label], "test_accuracy": test[label] / sum(test)}
    labels = np.repeat(np.arange(len(test)), test)
    outputs = np.tile(np.eye(len(test))[label], (len(labels), 1))
    for metric in recording.objective.derived:
        if (derived or metric.name == recording.lead.name) and not recording.lacks(metric.name):
            found[f"test_{metric.name}"] = metric.value(outputs, labels)
    return found


def baselines(summary: Mapping[str, Any], part: str = "test") -> list[Baseline]:
    """Those that the metric that leads can be held against, the constant answer first; none where nothing is known.

    >>> found = baselines({"majority": {"class": "0", "test_accuracy": 0.9}, "chance": 0.5})
    >>> [(one.name, one.value) for one in found]
    [("always '0'", 0.9), ('guessing', 0.5)]
    """
    lead, majority = lead_in(summary), summary.get("majority")
    known = constant_value(lead, summary, part)
    if known is None:
        return []
    if summary.get("constant"):
        hint = "what always giving the answer of the least training loss scores"
        return [Baseline(f"always {_answer(summary)}", hint, known)]
    if not majority:
        return []
    hint = "what always naming the most frequent class of the training data scores"
    if lead.at_end:
        return [Baseline(f"always {majority['class']!r}", hint, known)]
    guessing = Baseline("guessing", "each class as often as any other", summary["chance"])
    return [Baseline(f"always {majority['class']!r}", hint, known), guessing]


def constant_value(lead: Lead, summary: Mapping[str, Any], part: str = "test") -> float | None:
    """What the best answer that does not look at the input has in a metric that leads; None where that is not known."""
    if constant := summary.get("constant"):
        return constant.get(f"{part}_{lead.name}")
    if lead == BALANCED:
        return summary.get("chance")
    majority = summary.get("majority")
    # Of other parts it is not held: the classes are as frequent there, or nearly.
    return majority.get(lead.test) if majority and (lead.at_end or lead == ACCURACY) else None


def at_chance(summary: Mapping[str, Any], best: Mapping[str, Any]) -> bool:
    """Whether even the best mean is what an answer may get that does not look at the input.

    Always naming the most frequent class may get so many of N test samples right, or more, in more than 2.5 of 100
    cases (binomial). Of other metrics, the interval of the mean reaches as far as the constant answer.
    """
    lead, samples = lead_in(summary), (summary["samples"] or {}).get("test")
    known = constant_value(lead, summary)
    if known is None:
        return False
    if lead == ACCURACY:
        return bool(samples) and binomial_tail(round(best["test_accuracy"]["mean"] * samples), samples, known) > 0.025
    ends = best[lead.test]["ci95"] or [best[lead.test]["mean"]]
    return float(min(lead.gain(ends))) <= float(lead.gain(known))


def not_better(summary: Mapping[str, Any]) -> str:
    """That no activation is told from the constant answer, in words."""
    lead = lead_in(summary)
    known = constant_value(lead, summary)
    assert known is not None
    means = [a[lead.test]["mean"] for a in summary["activations"] if a[lead.test]["mean"] is not None]
    beaten = max(lead.gain(means)) <= lead.gain(known)
    if summary.get("constant"):
        told = "none is better than" if beaten else "the seeds tell none from"
        return f"{told} the test {lead.title} of {lead.said(known)} of always answering {_answer(summary)}"
    if lead == BALANCED:
        told = "none is above" if beaten else "the seeds tell none from"
        return f"{told} the {lead.said(known)} of always naming one class"
    if lead.at_end:
        told = "none is above" if beaten else "the seeds tell none from"
        return f"{told} the {lead.said(known)} of always naming {summary['majority']['class']!r}"
    samples = summary["samples"]["test"]
    told = "none is above" if beaten else f"{samples:,} test samples tell none from"
    named = f"{summary['majority']['class']!r}, the most frequent class"
    return f"{told} the {100 * known:.1f} % of always naming {named}"


def _answer(summary: Mapping[str, Any]) -> str:
    if summary["study"].get("loss") == "labels":
        return {"micro_f1": "the most frequent labels", "macro_f1": "all labels"}.get(
            lead_in(summary).name, "the labels that most samples have"
        )
    return listed([number(value) for value in summary["constant"]["answer"]])
