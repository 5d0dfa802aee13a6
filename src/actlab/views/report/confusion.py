"""Which classes are mixed up, or which labels missed, of each activation, as HTML."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from actlab.recording import Recording
from actlab.statistics.confusion import MOST_CLASSES, Confusion, confusion, label_confusion, most_frequent
from actlab.statistics.intervals import Floats
from actlab.statistics.selection import Reported
from actlab.views.palette import Styles
from actlab.views.report.html import key, scrolling
from actlab.wording import counted, number, percent

# Confusions that are told in words: beside a matrix, and in its place.
BESIDE_A_MATRIX, ALONE = 3, 20
# How much of the full colour a cell has where all samples of its class lie in it: the ink stays readable on it.
RIGHT, WRONG = 65, 60
# Widths of a matrix in the type's size: what does not fit beside others stands below them.
LEAST_WIDE, MOST_WIDE, LABELS_WIDE = 16.5, 56, 24


def lead(recording: Recording) -> str:
    """What the section shows, in words."""
    samples, seeds = recording.facts["samples"]["test"], len(recording.study.seeds)
    mean = ", the mean over the seeds that trained" if seeds > 1 else ""
    told = f"The {counted(samples, 'test sample')} after the last epoch{mean}"
    if recording.study.loss == "labels":
        return (
            f"{told}: how many have a label; how many of these the networks find; how many of those that they name it "
            "for are right; and F1, which is high where both are."
        )
    if len(recording.facts["classes"]) > MOST_CLASSES:
        return f"{told}: which classes are most often taken for another one."
    return (
        f"{told}: rows are true classes, columns the classes that the networks decide for, numbers per cent of the "
        "samples of the row. Blue is right, red is wrong, the more of it the stronger."
    )


def body(recording: Recording, entries: Mapping[str, Reported], styles: Styles) -> str:
    """A figure for each activation, best first; empty where the recording does not tell (see `confusion`)."""
    several = recording.study.loss == "labels"
    classes = recording.facts["targets" if several else "classes"]
    told, shown = (label_confusion, _labels) if several else (confusion, _shown)
    found = {name: told(recording, entry) for name, entry in entries.items()}
    panels = "".join(
        f"<figure data-activation='{escape(name)}'><figcaption>{key(styles[name])}<b>{escape(name)}</b></figcaption>"
        f"{shown(name, matrix, classes)}</figure>"
        for name, matrix in found.items()
        if matrix is not None
    )
    wide = LABELS_WIDE if several else min(MOST_WIDE, max(LEAST_WIDE, 6 + 2.5 * len(classes)))
    return f"<div class='panels mixed' style='--wide:{wide:g}rem'>{panels}</div>" if panels else ""


def _shown(name: str, matrix: Floats, classes: Sequence[str]) -> str:
    if len(classes) > MOST_CLASSES:
        return _told(most_frequent(matrix, ALONE), classes)
    # Of two classes the matrix says as much in as many words.
    told = _told(most_frequent(matrix, BESIDE_A_MATRIX), classes) if len(classes) > 2 else ""
    return _table(name, matrix, classes) + told


def _labels(name: str, counts: Floats, labels: Sequence[str]) -> str:
    """A row for each label: the samples that have it, recall, precision, F1."""
    rows = ""
    for label, ((_, wrong), (missed, found)) in zip(labels, counts.tolist(), strict=True):
        shares = (
            _ratio(found, found + missed),
            _ratio(found, found + wrong),
            _ratio(2 * found, 2 * found + missed + wrong),
        )
        cells = "".join(f"<td>{percent(share, '.1f')}</td>" for share in shares)
        samples = f"<td>{round(found + missed):,}</td>"
        rows += f"<tr><th scope='row'>{escape(label)}</th>{samples}{cells}</tr>"
    heads = "".join(f"<th scope='col'>{head}</th>" for head in ("label", "samples", "found", "right", "F1"))
    table = f"<table class='numbers'><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return scrolling(f"labels that {name} finds", table)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _table(name: str, matrix: Floats, classes: Sequence[str]) -> str:
    heads = "".join(f"<th scope='col'><span>{escape(label)}</span></th>" for label in classes)
    rows = ""
    for place, label in enumerate(classes):
        samples = round(float(matrix[place].sum()))
        title = f"{label}: {counted(samples, 'test sample')}"
        cells = "".join(_cell(value, samples, i == place) for i, value in enumerate(matrix[place].tolist()))
        rows += f"<tr><th scope='row' title='{escape(title)}'><span>{escape(label)}</span></th>{cells}</tr>"
    head = f"<thead><tr><td><small>decided →<br>true ↓</small></td>{heads}</tr></thead>"
    return scrolling(f"confusion matrix of {name}", f"<table class='confusion'>{head}<tbody>{rows}</tbody></table>")


def _cell(value: float, samples: int, right: bool) -> str:
    """A share of the row in per cent; empty where it is none, or where no sample is of the class."""
    if not samples or not (value or right):
        return "<td></td>"
    share = value / samples
    # Errors are small: by the square root of the share they can be seen.
    strength = RIGHT * share if right else WRONG * math.sqrt(share)
    text = number(100 * share, ".0f" if share in (0, 1) else ".1f") if share >= 0.0005 or not share else "&lt;0.1"
    return f"<td{' class=own' * right} style='--share:{strength:.0f}%'>{text}</td>"


def _told(found: Sequence[Confusion], classes: Sequence[str]) -> str:
    """The most frequent confusions, in sentences."""
    if not found:
        return "<p>No test sample is put into another class than its own.</p>"
    return f"<ul>{''.join(f'<li>{escape(in_words(one, classes))}</li>' for one in found)}</ul>"


def in_words(one: Confusion, classes: Sequence[str]) -> str:
    """A confusion in words.

    >>> in_words(Confusion(0, 1, 2.0, 0.021), ["four", "nine"])
    'four taken for nine: 2.1 % of the test samples of four'
    """
    share = percent(one.share, ".1f") if one.share >= 0.0005 else "less than 0.1 %"
    true, predicted = classes[one.true], classes[one.predicted]
    return f"{true} taken for {predicted}: {share} of the test samples of {true}"
