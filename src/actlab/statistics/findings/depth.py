"""That depth adds nothing without a function."""

from __future__ import annotations

from dataclasses import asdict

from actlab.recording import Recording
from actlab.statistics.findings.finding import Finding, finding
from actlab.statistics.linear_folding import collapse
from actlab.statistics.selection import Reported
from actlab.wording import counted

# Probabilities that differ by less are the same predictions: float32 rounding through some layers is below 1e-5.
SAME_PREDICTION = 1e-4


def linear_depth(recording: Recording, entry: Reported) -> Finding | None:
    """Whether a network without a function is one matrix: that it predicts the same once multiplied out."""
    if entry.activation != "linear" or (found := collapse(recording, entry)) is None:
        return None
    same = found.probability < SAME_PREDICTION
    inputs, outputs = found.shape
    what = "prediction, standardised," if recording.objective.predicts else "probability"
    beside = f" (logits by {found.logit:.1g} of the largest)" if recording.objective.decides else ""
    so = "depth adds nothing to what it can say" if same else f"more than the {SAME_PREDICTION:g} of rounding"
    sentence = (
        f"linear: its {found.layers} layers, multiplied into one {inputs} × {outputs} matrix, "
        f"{'predict the same' if same else 'do not predict the same'}: over {counted(found.samples, 'sample')} and "
        f"{counted(found.members, 'seed')} no {what} differs by more than {found.probability:.1g}"
        f"{beside}; {so}."
    )
    severity = "info" if same else "warning"
    return finding("linear_depth", severity, sentence, asdict(found) | {"same": same}, activation="linear")
