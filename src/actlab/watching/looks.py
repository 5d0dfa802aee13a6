"""What is seen of a network at one step of a training that is watched: numbers alone, of whatever framework."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

# Of a long training so many looks are kept in memory: the first ones, and evenly some of those that follow.
MOST_LOOKS, FIRST_LOOKS = 512, 16
Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
NAN = math.nan


@dataclass(frozen=True, eq=False)
class FunctionLook:
    """What an activation function does in its place at a step, over all its calls in that step.

    Attributes:
        name: of the place, from the module that it lies in: "fc2.act", or "block1: gelu" of a function that is no
            module.
        function: what is computed there, in PyTorch's words.
        calls: how often it was called.
        samples: how many samples were looked at for `flat` and `dead`, of all calls; all else but the gradients' norms
            is taken of a part of a larger tensor.
        pre_activation_mean, pre_activation_std: of what goes in, over samples and units.
        activation_mean, activation_std: of what comes out.
        rms: root mean square of what comes out.
        signal: spread over the samples of what comes out, root mean square over units, over `rms`: 0 where all samples
            look alike.
        flat: share of (sample, unit) pairs where the slope is at most FLAT of its supremum.
        dead: (units,), whether a unit is flat for every sample.
        pre_activation_histogram, activation_histogram: counts of values, in the bins of `histogram_edges`.
        activation_gradient_norm, pre_activation_gradient_norm: ‖∂L/∂a‖₂ and ‖∂L/∂z‖₂ over all samples; NaN where they
            were not seen.
        activation_gradient_histogram: counts of |∂L/∂a|, in the bins of `gradient_edges`; empty likewise.
    """

    name: str
    function: str
    calls: int
    samples: int
    pre_activation_mean: float
    pre_activation_std: float
    activation_mean: float
    activation_std: float
    rms: float
    signal: float
    flat: float
    dead: npt.NDArray[np.bool_]
    pre_activation_histogram: Counts
    activation_histogram: Counts
    activation_gradient_norm: float = NAN
    pre_activation_gradient_norm: float = NAN
    activation_gradient_histogram: Counts = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def dead_share(self) -> float:
        """Share of units that are dead."""
        return float(self.dead.mean()) if self.dead.size else NAN


@dataclass(frozen=True, eq=False)
class WeightLook:
    """A matrix of weights at a step, as the optimiser used its gradient.

    Attributes:
        name: of the parameter, without ".weight".
        norm: ‖W‖₂ before the step.
        gradient_norm: ‖∂L/∂W‖₂, unscaled, clipped as it was used; NaN where there was no gradient.
        update_ratio: ‖ΔW‖₂ / ‖W‖₂ of the step, of a part of a larger matrix; infinite where all its weights were 0
            and some moved.
        zero_share: share of the gradient that is exactly 0, of the numbers that the histogram counts.
        histogram: counts of |∂L/∂W|, in the bins of `gradient_edges`.
    """

    name: str
    norm: float
    gradient_norm: float
    update_ratio: float
    zero_share: float
    histogram: Counts


@dataclass(frozen=True)
class Constant:
    """The best answer that does not look at the input, from the targets that a loss was taken with.

    Attributes:
        loss: what it has; NaN where the loss is none whose best constant answer is known.
        majority: share of the most frequent class; NaN where targets are no classes.
        samples: of so many targets it was taken.
        classes: so many classes were among them; 0 where targets are no classes.
    """

    loss: float = NAN
    majority: float = NAN
    samples: int = 0
    classes: int = 0


@dataclass(frozen=True, eq=False)
class Look:
    """All that was seen of a network at a step.

    Attributes:
        step: steps of the optimiser before it.
        loss: the mean loss of the batch, unscaled; NaN where it was not seen.
        constant: what the best constant answer has.
        functions: in the order in which they were first called.
        weights: in the order of the model.
        gradient_scale: by how much the loss was multiplied before going back, as in mixed precision.
        facts: what is known exactly of the step: see `actlab.watching.facts`.
        unseen: what could not be looked at, by name, with the reason.
    """

    step: int
    loss: float
    constant: Constant
    functions: tuple[FunctionLook, ...]
    weights: tuple[WeightLook, ...]
    gradient_scale: float = 1.0
    facts: Mapping[str, object] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)


def keep(looks: list[Look], look: Look) -> None:
    """Add a look; where there are too many, every second one goes, but the first and the last.

    >>> looks = []
    >>> for step in range(2000):
    ...     keep(looks, Look(step, 0.0, Constant(), (), ()))
    >>> len(looks) <= MOST_LOOKS, [look.step for look in looks][:3], looks[-1].step
    (True, [0, 1, 2], 1999)
    """
    looks.append(look)
    if len(looks) > MOST_LOOKS:
        looks[FIRST_LOOKS:] = [*looks[FIRST_LOOKS:-1:2], looks[-1]]
