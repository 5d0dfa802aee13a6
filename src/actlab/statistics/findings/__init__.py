"""Findings: what goes on inside the networks, in sentences that state what was measured, a cause before what follows.

Each finding is a pure function of a recording and the activations that enter its report, and returns `{"code",
"severity", "activation", "layer", "step", "sentence", "evidence", "cause", "help"}` or nothing: no finding where data
are missing, or where no epoch was trained. `cause` is the code of the finding that this one follows from, None for a
cause itself; `help` what would help, None where there is nothing to mend; `step` is of watched trainings. Rules
that could take a healthy network for a faulty one speak of those alone that learn badly: see `Course.poor`. All codes
are in `codes.py`.

Sources: Schoop, Huang & Hartmann 2021, UMLAUT, doi 10.1145/3411764.3445538; Zhang and others 2021, AUTOTRAINER,
doi 10.1109/ICSE43902.2021.00043. The thresholds are held against networks of known faults in `benchmarks/faults.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actlab.recording import Recording
from actlab.statistics.findings.course import course_of
from actlab.statistics.findings.depth import linear_depth
from actlab.statistics.findings.finding import Finding
from actlab.statistics.findings.gradient import first_convolution, gradient_table, vanishing_gradient
from actlab.statistics.findings.inputs import inputs_off_scale
from actlab.statistics.findings.judged import judged
from actlab.statistics.findings.labels import labels_unlearnable, neighbour_vote
from actlab.statistics.findings.learning import comes_apart, only_regulariser
from actlab.statistics.findings.order import causes_first
from actlab.statistics.findings.pairs import within_noise
from actlab.statistics.findings.rate import diverges, rate_too_high, rate_too_low
from actlab.statistics.findings.start import start_too_large, units_alike
from actlab.statistics.findings.units import dead_units
from actlab.statistics.findings.widths import narrow_layer
from actlab.statistics.milestones import races
from actlab.statistics.selection import Reported

__all__ = ["Finding", "findings", "gradient_table", "within_noise"]


def findings(
    recording: Recording, reported: Sequence[Reported], comparisons: Sequence[Mapping[str, Any]]
) -> list[Finding]:
    """All findings of a recording: warnings first, of each activation the cause before what follows from it.

    Args:
        recording: complete or stopped.
        reported: the activations, best first.
        comparisons: all pairs, as in the summary.
    """
    if recording.epochs < 1:
        return []
    reported = [entry for entry in reported if entry.members]
    inputs = inputs_off_scale(recording)
    votes = recording.sample and recording.objective.decides
    neighbours = neighbour_vote(**recording.sample) if votes else float("nan")
    found = [inputs] if inputs else []
    for entry in reported:
        faults = _faults(recording, entry, reported, neighbours)
        found += faults if recording.study.own_loop else causes_first(faults, inputs)
    found += filter(None, [linear_depth(recording, entry) for entry in reported])
    found += races(recording, reported)
    found += filter(
        None,
        [
            first_convolution(recording, reported),
            within_noise(comparisons, [entry.activation for entry in reported], recording.lead),
        ],
    )
    made = [{"cause": None, "help": None, "step": None} | finding for finding in found]
    return sorted(made, key=lambda finding: finding["severity"] != "warning")


def _faults(recording: Recording, entry: Reported, reported: Sequence[Reported], neighbours: float) -> list[Finding]:
    """All that is wrong with an activation's networks, in any order."""
    went = course_of(recording, entry)
    if recording.study.own_loop:
        # While they trained more was seen than is recorded; of the rates nobody here knows but what diverged.
        found = [own for own in (diverges(recording, entry), *judged(recording, entry)) if own is not None]
        return list({own["code"]: own for own in reversed(found)}.values())[::-1]
    found = [
        units_alike(recording, entry, went),
        vanishing_gradient(recording, entry, went),
        only_regulariser(recording, entry, reported),
        comes_apart(recording, entry),
        diverges(recording, entry),
    ]
    if went is not None:
        found += [
            start_too_large(recording, entry, went),
            narrow_layer(recording, entry, went),
            rate_too_high(recording, entry, went),
            rate_too_low(recording, entry, went),
            dead_units(recording, entry, went),
        ]
        if recording.objective.decides:
            found.append(labels_unlearnable(recording, entry, went, neighbours))
    return [finding for finding in found if finding is not None]
