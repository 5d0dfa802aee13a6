"""What PyTorch's autograd graph tells of a step before it goes back: the loss, its targets, and what lies before it.

Nothing is asked of the training loop: the graph holds the targets that a loss was taken with, and every operation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

# A larger graph is looked at so far.
MOST_NODES = 20_000
# Of more targets of a step some are kept.
MOST_TARGETS = 4096
# Between the last layer and the loss stand few operations.
MOST_BEFORE = 20

LOSSES = {
    "NllLossBackward0": "cross-entropy", "NllLoss2DBackward0": "cross-entropy",
    "BinaryCrossEntropyWithLogitsBackward0": "binary", "BinaryCrossEntropyBackward0": "probabilities",
    "MseLossBackward0": "squared", "SmoothL1LossBackward0": "absolute", "HuberLossBackward0": "absolute",
}  # fmt: skip
MEAN, SUM = 1, 2
# A parameter, or another tensor that gradients are summed into.
LEAF = "torch::autograd::AccumulateGrad"
# What brings weights and values together.
WEIGHTED = {"AddmmBackward0", "MmBackward0", "BmmBackward0", "ConvolutionBackward0", "LinearBackward0"}
# What a composition of stays linear in the input; anything else is taken for something that is not.
LINEAR = WEIGHTED | {
    LEAF, "TBackward0", "TransposeBackward0", "PermuteBackward0", "ViewBackward0",
    "UnsafeViewBackward0", "ReshapeAliasBackward0", "ExpandBackward0", "SqueezeBackward0", "SqueezeBackward1",
    "UnsqueezeBackward0", "CloneBackward0", "AddBackward0", "SubBackward0", "NegBackward0", "MulBackward0",
    "DivBackward0", "MeanBackward0", "MeanBackward1", "SumBackward0", "SumBackward1", "SliceBackward0",
    "SelectBackward0", "CatBackward0", "AsStridedBackward0", "ToCopyBackward0", "NativeDropoutBackward0",
    "AvgPool2DBackward0", "AvgPool1DBackward0", "MeanBackward2", "AliasBackward0", "SplitBackward0",
}  # fmt: skip
# Between a loss and the last layer these change no value.
# What is linear in each factor, and not in both.
PRODUCTS = {"MulBackward0", "DivBackward0", "BmmBackward0"}
_WORDS = ("View", "queeze", "Clone", "Alias", "ToCopy", "Select", "Slice", "Transpose", "Permute")
_SHAPES = {name for name in LINEAR if any(word in name for word in _WORDS)} | {"IndexBackward0"}


@dataclass(frozen=True)
class Backward:
    """What a step goes back from.

    Attributes:
        loss: its mean over the samples, as it was before it was scaled.
        scale: what it was multiplied by on the way to what goes back.
        kind: of the loss: "cross-entropy", "binary" of logits, "probabilities" of what a sigmoid gave, "squared",
            "absolute", or "" of an unknown one.
        targets: (samples,) classes, or (samples, targets) numbers; None where they are not known.
        before: operations between loss and the last layer, from the loss on, without those that only change shapes.
        operations: how often each operation is in the graph from the last layer on; once two layers are seen and
            something that is not linear, nothing is looked at beyond.
    """

    loss: float
    scale: float
    kind: str
    targets: np.ndarray | None
    before: tuple[str, ...]
    operations: Counter[str] = field(default_factory=Counter)

    @property
    def is_linear(self) -> bool:
        """Whether two layers or more follow each other with nothing but linear operations between them."""
        return _layers(self.operations) > 1 and not self.operations.keys() - LINEAR


def backward_of(loss: torch.Tensor) -> Backward:
    """Read a scalar loss before it goes back; nothing of the graph is changed."""
    top = loss.grad_fn
    scale, top = _scale(top)
    node = next((one for one in _walk(top) if _name(one) in LOSSES), None)
    value = float(loss.detach()) / scale if scale else math.nan
    if node is None:
        return Backward(value, scale, "", None, (), _operations(top))
    kind, targets = LOSSES[_name(node)], _targets(node)
    if getattr(node, "_saved_reduction", MEAN) == SUM and targets is not None:
        value /= max(targets.size if kind != "cross-entropy" else len(targets), 1)
    before, last = _before(node.next_functions[0][0])
    return Backward(value, scale, kind, targets, tuple(before), _operations(last))


def is_of(loss: torch.Tensor, parameters: Set[int]) -> bool:
    """Whether a loss goes back to some of these parameters (ids); true where none can be told, behind a checkpoint."""
    none = True
    for node in _walk(loss.grad_fn):
        if _name(node) == LEAF:
            if id(node.variable) in parameters:
                return True
            none = False
    return none


def _layers(operations: Counter[str]) -> int:
    return sum(operations[name] for name in WEIGHTED)


def _name(node: Any) -> str:
    return node.name() if node is not None else ""


def _scale(node: Any) -> tuple[float, Any]:
    """The factor that a loss is multiplied by at the end, and what comes before."""
    scale = 1.0
    while _name(node) in ("MulBackward0", "DivBackward0"):
        other = getattr(node, "_saved_other", None)
        first = node.next_functions[0][0]
        if other is None or other.numel() != 1 or first is None:
            break
        factor = float(other)
        scale = scale * factor if _name(node) == "MulBackward0" else scale / factor
        node = first
    return scale, node


def _walk(start: Any) -> Iterator[Any]:
    """The nodes of a graph, those near the loss first."""
    waiting, seen = [start] if start is not None else [], set()
    while waiting and len(seen) < MOST_NODES:
        following = []
        for node in waiting:
            if node in seen:
                continue
            seen.add(node)
            yield node
            following += [one for one, _ in node.next_functions if one is not None]
        waiting = following


def _operations(start: Any) -> Counter[str]:
    found: Counter[str] = Counter()
    layers, linear = 0, True
    for node in _walk(start):
        name = f"{_name(node)} of two" if _multiplies_two(node) else _name(node)
        found[name] += 1
        layers, linear = layers + (name in WEIGHTED), linear and name in LINEAR
        if layers > 1 and not linear:
            break
    return found


def _multiplies_two(node: Any) -> bool:
    """Whether a product is of two things that depend on the input, as a gate's: that is not linear."""
    if _name(node) not in PRODUCTS:
        return False
    factors = [one for one, _ in node.next_functions if one is not None]
    return len(factors) > 1 and not any(_name(one) == LEAF for one in factors)


def _before(node: Any) -> tuple[list[str], Any]:
    """Operations from the loss to the last layer, along the first input of each; and that layer's."""
    found: list[str] = []
    while node is not None and _name(node) not in WEIGHTED and len(found) < MOST_BEFORE:
        if _name(node) not in _SHAPES:
            found.append(_name(node))
        node = node.next_functions[0][0] if node.next_functions else None
    return found, node


def _targets(node: Any) -> np.ndarray | None:
    """Some targets of a loss, classes flat and numbers by column."""
    try:
        targets = node._saved_target
    except (AttributeError, RuntimeError):
        return None
    if LOSSES[_name(node)] == "cross-entropy":
        flat = targets.detach().reshape(-1)[: 64 * MOST_TARGETS].cpu().numpy()
        return flat[flat != node._saved_ignore_index][:MOST_TARGETS]
    own = targets.detach().to(torch.float32)
    return own.reshape(len(own), -1)[:MOST_TARGETS, :64].cpu().numpy() if own.dim() else own.reshape(1, 1).cpu().numpy()
