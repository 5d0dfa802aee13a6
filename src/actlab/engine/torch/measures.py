"""What is observed of members after an epoch: see `actlab.engine.measures`, whose quantities these are.

All come out as NumPy arrays (members, …).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from actlab.custom_torch import TracedModule
from actlab.functions.measured.facts import slope_supremum
from actlab.objectives import Objective
from actlab.recording.measures import FLAT, VALUES_COUNTED, gradient_edges, histogram_edges

Tensor = torch.Tensor
Arrays = dict[str, np.ndarray]


class Evaluated(NamedTuple):
    """Sums over the samples of an evaluation, and of test samples one by one: as `actlab.plan.collector.Observed`."""

    sums: Arrays
    by_class: np.ndarray | None
    right: np.ndarray | None
    outputs: np.ndarray


def evaluate(objective: Objective, outputs: np.ndarray, data: Mapping[str, np.ndarray], tested: slice) -> Evaluated:
    """Metrics of outputs (members, samples, outputs).

    Args:
        objective: what they mean.
        outputs: for all samples of the evaluation.
        data: "y", "membership" and, of classes, "by_class", as in `actlab.plan.evaluation.Data`.
        tested: where the test samples lie among them.
    """
    y, parts = data["y"][None], data["membership"][:, :3]
    with np.errstate(all="ignore"):  # of members that have diverged
        scores = {metric.name: np.asarray(metric.score(outputs, y, np, 2)) for metric in objective.metrics}
        sums = {}
        for metric in objective.metrics:
            own = scores[metric.name]
            own = np.moveaxis(own, 2, 1) if metric.finish else own
            sums[metric.name] = _sums(own, data["by_class"] if metric.by_class else parts)
        if objective.decided is None:
            return Evaluated(sums, None, None, outputs[:, tested])
        right = np.asarray(objective.decided(outputs, y, np, 2))
        return Evaluated(sums, _sums(right, data["membership"][:, 3:]), right[:, tested], outputs[:, tested])


def _sums(scores: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Sums of the scores of each part's samples, (…, samples) and (samples, parts) → (…, parts).

    Chosen, not multiplied by 0, where a score is not finite: 0 · ∞ of one test sample would break the training sum.
    """
    wide = scores.astype(np.float64)
    sums = wide @ parts
    if np.isfinite(sums).all():
        return sums
    columns = [np.where(own > 0, own * wide, 0.0).sum(axis=-1) for own in parts.T]
    return np.stack(columns, axis=-1)


def measure(
    network: TracedModule,
    own: Mapping[str, Mapping[str, Tensor]],
    gradients: Mapping[str, Tensor],
    taps: Mapping[str, tuple[Tensor, Tensor]],
    seen: Mapping[str, tuple[Tensor, Tensor]],
) -> Arrays:
    """Gradients, activations and flatness on the probe batch; see `actlab.engine.measures.measure`.

    Args:
        network: of the members.
        own: trainable parameters of its function.
        gradients: ∂L/∂W of the trained arrays, (members, …).
        taps: by place ∂L/∂z and ∂L/∂a, (members, batch, …).
        seen: by place z and a.
    """
    turned = {name: turned_rows(gradients[name], network.turned[name]) for name in network.weight_layers}
    found = {
        "weight_gradient_norm": _by_layer([norm(array) for array in turned.values()]),
        "weight_gradient_histogram": _by_layer([histogram(a.abs(), gradient_edges()) for a in turned.values()]),
    }
    places = {name: _units_last(network, name, (*seen[name], *taps[name])) for name in network.act_layers}
    for which, index in (("pre_activation", 0), ("activation", 1)):
        arrays = [arrays[index] for arrays in places.values()]
        axes = [tuple(range(1, array.ndim)) for array in arrays]
        pairs = list(zip(arrays, axes, strict=True))
        found[f"{which}_mean"] = _by_layer([array.mean(dim=own_axes) for array, own_axes in pairs])
        found[f"{which}_std"] = _by_layer([array.std(dim=own_axes, correction=0) for array, own_axes in pairs])
        found[f"{which}_histogram"] = _by_layer([histogram(array, histogram_edges()) for array in arrays])
        found[f"{which}_gradient_norm"] = _by_layer([norm(arrays[2 + index]) for arrays in places.values()])
    sizes = [histogram(arrays[3].abs(), gradient_edges()) for arrays in places.values()]
    found["activation_gradient_histogram"] = _by_layer(sizes)
    flat = [_flatness(network, own.get(name, {}), arrays[0]) for name, arrays in places.items()]
    found["flat_share"] = _by_layer([share for share, _ in flat])
    found["dead_share"] = _by_layer([dead for _, dead in flat])
    return found


def turned_rows(array: Tensor, axes: Sequence[int]) -> Tensor:
    """An array (members, …) with the axes after the first in this order."""
    return array.permute(0, *(1 + axis for axis in axes))


def _units_last(network: TracedModule, name: str, arrays: Sequence[Tensor]) -> list[Tensor]:
    return [array.movedim(network.axes[name], -1) for array in arrays]


def _by_layer(arrays: Sequence[Tensor]) -> np.ndarray:
    return torch.stack(list(arrays), dim=1).cpu().numpy()


def norm(array: Tensor) -> Tensor:
    """Euclidean norm of each member's part, (members, …) → (members,)."""
    return torch.linalg.vector_norm(array.flatten(1), dim=1)


def _flatness(network: TracedModule, own: Mapping[str, Tensor], z: Tensor) -> tuple[Tensor, Tensor]:
    """Shares of flat pairs and of dead units, of z (members, batch, …, units)."""
    function = network.activation
    steepest = slope_supremum(function)
    if steepest is None:
        nothing = z.new_full((len(z),), math.nan)
        return nothing, nothing
    # Parameters of every member's units beside z.
    placed: dict[str, Any] = {name: value.reshape(len(z), *(1,) * (z.ndim - 2), -1) for name, value in own.items()}
    slope = function.derivative(z, **placed).abs()
    flat = slope <= (FLAT * steepest if math.isfinite(steepest) else 0.0)
    always = flat.all(dim=1) if flat.ndim == 3 else flat.flatten(1, -2).all(dim=1)
    return flat.flatten(1).to(z.dtype).mean(dim=1), always.to(z.dtype).mean(dim=1)


def histogram(array: Tensor, edges: np.ndarray) -> Tensor:
    """Counts of values in each bin, (members, …) → (members, bins); see `actlab.engine.histograms.histogram`.

    >>> histogram(torch.tensor([[-3.0, 0.5, 1.0, 9.0, torch.nan]]), np.array([0.0, 1.0, 2.0, 4.0])).tolist()
    [[2, 1, 1]]
    """
    members, bins = len(array), len(edges) - 1
    values = array.reshape(members, -1)
    stride = max(1, values.shape[-1] // VALUES_COUNTED)
    while stride > 1 and math.gcd(stride, array.shape[-1]) > 1:
        stride += 1
    values = values[:, ::stride].contiguous()
    inner = torch.as_tensor(edges[1:-1], dtype=values.dtype, device=values.device)
    places = torch.bucketize(values, inner, right=True)
    # NaN has a bin of its own, which is left out in the end.
    places = torch.where(values.isnan(), bins, places)
    rows = torch.arange(members, device=places.device)[:, None] * (bins + 1)
    counts = torch.bincount((places + rows).flatten(), minlength=members * (bins + 1))
    return counts.reshape(members, bins + 1)[:, :bins].to(torch.int32)
