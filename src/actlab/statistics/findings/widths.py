"""Whether a layer is too narrow for what has to pass through it."""

from __future__ import annotations

import math
from typing import Any

from actlab.custom import CUSTOM_PARAMETERS, CustomNetwork
from actlab.layers import Dense, Fork, Join
from actlab.network import flat
from actlab.recording import Recording
from actlab.statistics.findings.course import Course, reads_weights
from actlab.statistics.findings.finding import Finding, finding
from actlab.statistics.selection import Reported
from actlab.wording import counted, number


def narrow_layer(recording: Recording, entry: Reported, went: Course) -> Finding | None:
    """Whether a hidden layer has one unit, or fewer than log₂ of the classes, and the network is hindered.

    n units that are on or off tell at most 2ⁿ classes apart; where targets are numbers, it must be one unit.
    Convolutions, and layers that a residual connection goes around, are no bottleneck.
    """
    if not went.hindered or not (widths := hidden_widths(recording, entry)):
        return None
    place, (name, width) = min(enumerate(widths), key=lambda item: item[1][1])
    classes = len(recording.facts["classes"])
    inputs = math.prod(recording.facts["input_shape"]) if place == 0 else widths[place - 1][1]
    if not (width < inputs and (width == 1 or (classes and width < math.log2(classes)))):
        return None
    about = f"{classes} classes" if classes else "the target"
    sentence = (
        f"{entry.activation}: {name} is a bottleneck: all that its {counted(inputs, 'input')} say about "
        f"{about} passes through {counted(width, 'unit')}; the training loss ends at "
        f"{number(went.train_loss[-1])} times the constant answer's."
    )
    evidence = {"width": width, "inputs": inputs, "classes": classes, "loss": went.train_loss[-1]}
    remedy = f"Make {name} wider: as wide as the layers beside it."
    return finding(
        "narrow_layer", "warning", sentence, evidence, activation=entry.activation, layer=name, remedy=remedy
    )


def hidden_widths(recording: Recording, entry: Reported) -> list[tuple[str, int]]:
    """The dense layers but the last one, by name, and the units of each; empty where they are not known."""
    network: Any = recording.study.network
    if isinstance(network, CustomNetwork):
        if not reads_weights(recording) or not recording.weight_epochs:
            return []
        held = recording.weight_arrays(entry.activation, recording.weight_epochs[:1]).get(CUSTOM_PARAMETERS, {})
        shapes = [(name, held[name].shape[2:]) for name in recording.weight_layers if name in held]
        # Which of a user's arrays is the last one is not known but by its width.
        outputs = {len(recording.facts.get("targets", ())), len(recording.facts["classes"]), 1}
        return [(name, shape[-1]) for name, shape in shapes if len(shape) == 2 and shape[-1] not in outputs]
    found, within, counts = [], 0, 0
    for layer in flat(network or ()):
        within += isinstance(layer, Fork) - isinstance(layer, Join)
        counts += isinstance(layer, Dense)
        if isinstance(layer, Dense) and not within:
            found.append((f"dense{counts}", layer.units))
    return found[:-1]
