"""What is measured inside networks while they train: one table, read by whoever measures, stores or shows it.

All measures are taken on the probe batch: the same few training samples at every epoch. L is the mean loss over it, z a
pre-activation, a = f(z) an activation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

# Bins are equal steps of asinh(2x): 0.16 wide around zero, a third of x far out; the outermost two are open.
BINS = 64
REACH = 10.0
# Gradients by their size: four bins a decade, from 10⁻¹² to 10³.
DECADES = (-12, 3)
BINS_PER_DECADE = 4
# Of a member's values at most some so many are counted.
VALUES_COUNTED = 4096
# A function counts as flat where its slope is below this share of the largest.
FLAT = 1e-3


def histogram_edges() -> np.ndarray:
    """The 65 edges of the bins of values, float64: sinh(t)/2 for t in equal steps from −10 to 10.

    >>> histogram_edges()[[0, 31, 32, 33, 64]].round(2).tolist()
    [-5506.62, -0.16, 0.0, 0.16, 5506.62]
    """
    return np.sinh(np.linspace(-REACH, REACH, BINS + 1)) / 2


def gradient_edges() -> np.ndarray:
    """The edges of the bins of sizes, (62,) float64: 0, then four to each decade from 10⁻¹² to 10³.

    The first bin holds all that is smaller, zeros too, the last all that is larger.

    >>> gradient_edges()[[0, 1, 5, -1]].tolist()
    [0.0, 1e-12, 1e-11, 1000.0]
    """
    low, high = DECADES
    powers = np.arange(low * BINS_PER_DECADE, high * BINS_PER_DECADE + 1) / BINS_PER_DECADE
    return np.concatenate([[0.0], 10**powers])


#: Name of the fact that holds the edges of a histogram → how they are made.
EDGES: Mapping[str, Callable[[], np.ndarray]] = MappingProxyType(
    {"histogram_edges": histogram_edges, "gradient_edges": gradient_edges}
)


@dataclass(frozen=True)
class Measure:
    """A quantity that a recording holds for each member and epoch.

    Attributes:
        name: of its array in the recording: (epochs, members), a third axis by `along`, and the bins of a histogram.
        title: in words.
        sentence: what it is, or what to look for.
        along: what lies on the third axis: layers with weights, places of functions, classes, targets;
            "network" for none.
        edges: for a histogram, the fact that holds the edges of its bins; "" for a number.
    """

    name: str
    title: str
    sentence: str
    along: Literal["weights", "functions", "classes", "targets", "network"]
    edges: Literal["histogram_edges", "gradient_edges", ""] = ""

    @property
    def axis(self) -> str | None:
        """The fact that names what lies on its third axis."""
        named = {"weights": "weight_layers", "functions": "act_layers", "classes": "classes", "targets": "targets"}
        return named.get(self.along)


_TABLE = (
    Measure(
        "weight_gradient_norm",
        "gradient norm",
        "Size of the loss's gradient in a layer's weights, ‖∂L/∂W‖₂.",
        "weights",
    ),
    Measure(
        "activation_gradient_norm",
        "activation gradient norm",
        "Size of the gradient that arrives at a function's output, ‖∂L/∂a‖₂ over the whole probe batch.",
        "functions",
    ),
    Measure(
        "pre_activation_gradient_norm",
        "pre-activation gradient norm",
        "What the function's slope leaves of it at its input, ‖∂L/∂z‖₂ over the whole probe batch.",
        "functions",
    ),
    Measure(
        "update_ratio",
        "update ratio",
        "Size of the update that the optimiser would make on the probe batch over that of the weights, ‖ΔW‖₂ / ‖W‖₂.",
        "weights",
    ),
    Measure("flat_share", "flat", "Share of (sample, unit) pairs where |f'(z)| ≤ 10⁻³ sup|f'|.", "functions"),
    Measure("dead_share", "dead", "Share of units that are flat for every sample.", "functions"),
    Measure(
        "pre_activation_mean",
        "pre-activation mean",
        "Mean of what goes into the function, over samples and units.",
        "functions",
    ),
    Measure(
        "pre_activation_std",
        "pre-activation spread",
        "Standard deviation of what goes into the function, over samples and units.",
        "functions",
    ),
    Measure(
        "activation_mean",
        "activation mean",
        "Mean of what comes out of the function, over samples and units.",
        "functions",
    ),
    Measure(
        "activation_std",
        "activation spread",
        "Standard deviation of what comes out of the function, over samples and units.",
        "functions",
    ),
    Measure(
        "signal",
        "signal",
        "Spread over the samples of what comes out of the function, over its size (both rms): 0 where all look alike.",
        "functions",
    ),
    Measure("activation_rms", "activation size", "Root mean square of what comes out of the function.", "functions"),
    Measure("weight_norm", "weight norm", "Size of a layer's weights before the step, ‖W‖₂.", "weights"),
    Measure(
        "zero_gradient_share", "zero gradients", "Share of a layer's weight gradient that is exactly 0.", "weights"
    ),
    Measure("penalty", "penalty", "The L2 term that training adds to the cross-entropy.", "network"),
    Measure(
        "class_accuracy", "accuracy by class", "Of each class's training samples, the share put into it.", "classes"
    ),
    Measure("label_f1", "F1 by label", "F1 of each label on the test data, 2·TP / (2·TP + FP + FN).", "targets"),
    Measure("target_rmse", "error by target", "RMSE of each target on the test data, in its own unit.", "targets"),
    Measure(
        "pre_activation_histogram",
        "pre-activations",
        "What goes into the function: where on it the network lives. The axis is stretched around zero.",
        "functions",
        "histogram_edges",
    ),
    Measure(
        "activation_histogram",
        "activations",
        "What comes out of the function. A band at an edge is saturation, a line at zero units that say nothing.",
        "functions",
        "histogram_edges",
    ),
    Measure(
        "weight_gradient_histogram",
        "weight gradients",
        "Sizes of the gradient with respect to each weight. A band that lies low learns slowly; at the bottom: zeros.",
        "weights",
        "gradient_edges",
    ),
    Measure(
        "activation_gradient_histogram",
        "activation gradients",
        "Sizes of the gradient with respect to each activation, as it comes back from the layers after it.",
        "functions",
        "gradient_edges",
    ),
)
#: All measures by name.
MEASURES: Mapping[str, Measure] = MappingProxyType({measure.name: measure for measure in _TABLE})
