"""What PyTorch's autograd graph tells of a step before it goes back: the loss, its targets, and what lies before it.

Nothing is asked of the training loop: the graph holds the targets that a loss was taken with, and every operation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from actlab.watching.torch_facts import answers_of

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
_LOGARITHMS = ("LogBackward0", "Log2Backward0", "Log10Backward0")
# What is infinite at zero, or has a slope that is: where these are, a loss that is not finite may come from them.
SINGULAR = {"LogBackward0", "Log2Backward0", "Log10Backward0", "SqrtBackward0", "RsqrtBackward0", "DivBackward0 of two",
            "ReciprocalBackward0", "LinalgVectorNormBackward0", "AcosBackward0"}  # fmt: skip
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
    # An affine map of each channel, but for what it takes from the batch.
    "NativeBatchNormBackward0", "CudnnBatchNormBackward0", "MiopenBatchNormBackward0",
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
        operations: how often each operation is in the graph from the last layer on, once two layers are seen and
            something that is not linear, nothing is looked at beyond.
        singular: operations between loss and the last layer that are not finite at zero; of an unknown loss, in the
            whole graph.
        weights: of the classes, or of a label that is 1, in the loss; None where all count alike.
        bend: where an absolute loss passes from squared to straight.
        answers: what is answered: see `answers_of`.
        alone: the mean loss without what is added to it or multiplies it, which a constant answer has no part in; None
            where it is not known.
        logged: the smallest number that a logarithm near the loss is taken of; infinite without one.
    """

    loss: float
    scale: float
    kind: str
    targets: np.ndarray | None
    before: tuple[str, ...]
    operations: Counter[str] = field(default_factory=Counter)
    singular: tuple[str, ...] = ()
    weights: np.ndarray | None = None
    bend: float = 1.0
    answers: Mapping[str, Any] = field(default_factory=dict)
    alone: float | None = None
    logged: float = math.inf

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
        operations = _operations(top, whole=True)
        singular = tuple(SINGULAR & set(operations))
        return Backward(value, scale, "", None, (), operations, singular, logged=_logged(top))
    kind, targets = LOSSES[_name(node)], _targets(node)
    if getattr(node, "_saved_reduction", MEAN) == SUM and targets is not None:
        value /= max(targets.size if kind != "cross-entropy" else len(targets), 1)
    before, last = _before(node.next_functions[0][0])
    operations = _operations(last)
    return Backward(
        value, scale, kind, targets, tuple(before), operations,
        tuple(own for own in before if own in SINGULAR), _weights(node, kind), _bend(node), _answers(node, kind),
        _own_value(node), _logged(top),
    )  # fmt: skip


def _logged(top: Any) -> float:
    """The smallest number of which a logarithm is taken among the operations next to the loss."""
    logarithms = [node for node in islice(_walk(top), MOST_BEFORE) if _name(node) in _LOGARITHMS]
    taken = [own for node in logarithms if (own := _saved(node, "self")) is not None and own.numel()]
    return min((float(own.detach().min()) for own in taken), default=math.inf)


def _saved(node: Any, name: str) -> Any:
    """What a node keeps; None where it keeps no such thing, or was let go."""
    try:
        return getattr(node, f"_saved_{name}", None)
    except RuntimeError:
        return None


def _own_value(node: Any) -> float | None:
    """The mean loss over samples at a node, computed again from what it keeps; None where it does not."""
    outputs, targets = _saved(node, "self"), _saved(node, "target")
    if outputs is None or targets is None or outputs.shape[:1] != targets.shape[:1]:
        return None
    with torch.no_grad(), torch.autocast(outputs.device.type, enabled=False):
        outputs = outputs.detach().float()
        match _name(node):
            case "NllLossBackward0" | "NllLoss2DBackward0":
                found = F.nll_loss(outputs, targets, _saved(node, "weight"), ignore_index=_ignored(node))
            case "BinaryCrossEntropyWithLogitsBackward0":
                found = F.binary_cross_entropy_with_logits(
                    outputs, targets.float(), _saved(node, "weight"), pos_weight=_saved(node, "pos_weight")
                )
            case "BinaryCrossEntropyBackward0":
                found = F.binary_cross_entropy(outputs, targets.float(), _saved(node, "weight"))
            case "MseLossBackward0" if outputs.shape == targets.shape:
                found = F.mse_loss(outputs, targets.float())
            case "SmoothL1LossBackward0" if outputs.shape == targets.shape:
                found = F.smooth_l1_loss(outputs, targets.float(), beta=_bend(node))
            case "HuberLossBackward0" if outputs.shape == targets.shape:
                # As the smooth absolute loss: Huber's is that, times its bend.
                found = F.smooth_l1_loss(outputs, targets.float(), beta=_bend(node))
            case _:
                return None
    return float(found)


def _bend(node: Any) -> float:
    found = _saved(node, "beta") if _name(node) == "SmoothL1LossBackward0" else _saved(node, "delta")
    return 1.0 if found is None else float(found)


def _weights(node: Any, kind: str) -> np.ndarray | None:
    found = _saved(node, "weight" if kind == "cross-entropy" else "pos_weight")
    return None if found is None else found.detach().float().cpu().numpy()


def _answers(node: Any, kind: str) -> Mapping[str, Any]:
    outputs, targets = _saved(node, "self"), _saved(node, "target")
    if outputs is None or targets is None:
        return {}
    return answers_of(kind, outputs, targets, _ignored(node))


def _ignored(node: Any) -> int:
    """The class that a loss leaves out; PyTorch hands over a negative one as a number of 64 bits without a sign."""
    found = _saved(node, "ignore_index")
    return -100 if found is None else int(found) - 2**64 * (found >= 2**63)


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


def _operations(start: Any, *, whole: bool = False) -> Counter[str]:
    found: Counter[str] = Counter()
    layers, linear = 0, True
    for node in _walk(start):
        name = f"{_name(node)} of two" if _multiplies_two(node) else _name(node)
        found[name] += 1
        layers, linear = layers + (name in WEIGHTED), linear and name in LINEAR
        if layers > 1 and not linear and not whole:
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
    targets = _saved(node, "target")
    if targets is None:
        return None
    if LOSSES[_name(node)] == "cross-entropy":
        flat = targets.detach().reshape(-1)[: 64 * MOST_TARGETS].cpu().numpy()
        return flat[flat != _ignored(node)][:MOST_TARGETS]
    own = targets.detach().to(torch.float32)
    return own.reshape(len(own), -1)[:MOST_TARGETS, :64].cpu().numpy() if own.dim() else own.reshape(1, 1).cpu().numpy()


def unscaled(loss: torch.Tensor) -> float:
    """The value of a scalar loss, without what it was multiplied by at the end, as by a gradient scaler."""
    scale, _ = _scale(loss.grad_fn)
    return float(loss.detach()) / scale if scale else math.nan
