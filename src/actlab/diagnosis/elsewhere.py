"""What is said otherwise of a model that is not PyTorch's: remedies in its own framework's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from actlab.statistics.findings.finding import Finding, finding
from actlab.watching.looks import Look

#: Framework → code → what would help.
REMEDIES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "keras": MappingProxyType(
            {
                "softmax_twice": "Leave from_logits=True out of the loss, or the function out of the last layer.",
                "no_log_probabilities": "Give the loss from_logits=True, or end the model with a softmax or sigmoid.",
                "detached": "Look for stop_gradient or NumPy between these layers and the loss.",
                "start_too_large": (
                    'Take initial weights that suit the function (as kernel_initializer="he_normal"), or normalise '
                    "between layers."
                ),
            }
        ),
        "flax": MappingProxyType(
            {
                "softmax_twice": "Take the function out of the model: the loss of logits applies one by itself.",
                "no_log_probabilities": "Take a loss of logits, or end the model with a softmax or sigmoid.",
                "detached": "Look for stop_gradient or NumPy between these layers and the loss.",
                "start_too_large": (
                    "Take initial weights that suit the function (as nnx.initializers.he_normal()), or normalise "
                    "between layers."
                ),
            }
        ),
    }
)


def no_logarithm(look: Look, _: Sequence[Look]) -> Finding | None:
    """What can only happen there: PyTorch refuses probabilities beyond 0 and 1."""
    facts: Any = look.facts
    straight = facts.get("before_loss", ["unknown"]) in ([], ["ReluBackward0"])
    if not (facts.get("framework") and facts.get("loss_kind") == "probabilities" and straight):
        return None
    sentence = "The loss takes logarithms of probabilities, and the model gives it something else."
    return finding("no_log_probabilities", "warning", sentence, {"before_loss": facts["before_loss"]}, remedy="")


def worded(found: Finding, look: Look) -> Finding:
    """A finding with the remedy as the framework of a look has it."""
    framework: Any = look.facts.get("framework", "")
    remedy = REMEDIES.get(framework, {}).get(found["code"])
    return found if remedy is None else found | {"help": remedy}
