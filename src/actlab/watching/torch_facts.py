"""What is known exactly of a step in PyTorch: the size of the input, an optimiser's settings, what is answered."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from actlab.watching.torch_values import MOST_MEASURED, some_rows

# So many samples of a step, and so many numbers of each, are kept for what needs no network, as the vote of neighbours.
MOST_SAMPLES, MOST_FEATURES = 64, 256
# Of more classes than this, what is answered is not counted.
MOST_CLASSES = 64
MOST_ANSWERS = 4096
_CONVOLUTIONS = nn.modules.conv._ConvNd
_LOOKED_UP = (nn.Embedding, nn.EmbeddingBag)


def takes_input(module: nn.Module) -> bool:
    """Whether a module has weights of its own, and no modules within: the first such gets the input."""
    return not module._modules and any(own is not None for own in module._parameters.values())


def scale_of_input(name: str, module: nn.Module, inputs: torch.Tensor) -> Mapping[str, float | str | int]:
    """How large the input of the first layer is, by column: feature or channel.

    Empty where no scale is asked for: names of tokens, and what is normalised first.

    Returns:
        `layer`; `columns`; root mean squares `largest_rms`, `median_rms` over columns, `rms` of all; `column` of the
        largest; `largest`, the largest |x|; `common` and `spread`, the size of the columns' means and of their
        deviations.
    """
    if isinstance(module, _LOOKED_UP) or "Norm" in type(module).__name__ or not inputs.is_floating_point():
        return {}
    if inputs.dim() < 2 or not inputs.numel():
        return {}
    with torch.no_grad():
        values = some_rows(inputs, MOST_MEASURED)
        axis = 1 if isinstance(module, _CONVOLUTIONS) else values.dim() - 1
        columns = values.movedim(axis, -1).reshape(-1, values.shape[axis])
        squares, (variance, mean) = columns.square().mean(dim=0), torch.var_mean(columns, dim=0, unbiased=False)
        column = int(squares.argmax())
        sizes = torch.stack(
            [
                *(squares[column], squares.median(), squares.mean()),
                *(mean.square().mean(), variance.mean(), columns.abs().max().square()),
            ]
        )
        largest, middle, whole, common, spread, most = sizes.sqrt().tolist()
    return {
        "layer": name, "columns": columns.shape[1], "column": column, "largest_rms": largest, "median_rms": middle,
        "rms": whole, "common": common, "spread": spread, "largest": most,
    }  # fmt: skip


def sample_of_input(inputs: torch.Tensor) -> np.ndarray | None:
    """Some samples of the first layer's input as rows, (samples, numbers) float32; None of what is no number."""
    if not inputs.is_floating_point() or inputs.dim() < 2:
        return None
    rows = inputs.detach()[:MOST_SAMPLES].reshape(min(len(inputs), MOST_SAMPLES), -1)
    return rows[:, :: max(1, -(-rows.shape[1] // MOST_FEATURES))].to(torch.float32, copy=True).cpu().numpy()


def weights_at_start(model: nn.Module) -> dict[str, Any]:
    """Matrices before the first step: all zero, or all rows equal, and which of these are layers of units.

    And whether a dense layer within is narrower than what comes in first and goes out last.
    """
    zero, alike = [], []
    for name, own in model.named_parameters():
        # A number for each row is a factor, as of a scaled residual, and no matrix.
        if own.dim() < 2 or own.numel() == len(own) or not own.requires_grad or own.is_sparse:
            continue
        values = own.detach()
        if not bool(values.any()):
            zero.append(name.removesuffix(".weight"))
        elif len(values) > 1 and bool((values == values[:1]).all()):
            alike.append(name.removesuffix(".weight"))
    modules = dict(model.named_modules())
    layers = [name for name in alike if _joins_all(modules.get(name))]
    shapes = [tuple(own.shape) for own in model.parameters() if own.dim() == 2]
    widths = [shape[0] for shape in shapes[:-1]]
    narrow = bool(widths) and min(widths) < min(shapes[0][1], shapes[-1][0])
    return {"zero_weights": zero, "alike_weights": alike, "alike_layers": layers, "bottleneck": narrow}


def _joins_all(module: nn.Module | None) -> bool:
    """Whether every unit of a layer gets all that comes in, so that equal weights make equal units."""
    return isinstance(module, nn.Linear) or (isinstance(module, _CONVOLUTIONS) and module.groups == 1)


def still_alike(model: nn.Module, names: Sequence[str]) -> list[str]:
    """Of matrices that began with all rows equal, those that are so still."""
    parameters = dict(model.named_parameters())
    found = {name: parameters.get(f"{name}.weight", parameters.get(name)) for name in names}
    return [name for name, own in found.items() if own is not None and bool((own.detach() == own.detach()[:1]).all())]


def settings_of(optimiser: torch.optim.Optimizer, own: Container[int], names: Mapping[int, str]) -> dict[str, Any]:
    """What an optimiser is set to for a model's parameters (ids): largest rate and decay, and what it does not move."""
    groups = [group for group in optimiser.param_groups if any(id(one) in own for one in group["params"])]
    rates = [float(group.get("lr", math.nan)) for group in groups]
    decays = [float(group.get("weight_decay", 0.0) or 0.0) for group in groups]
    still = [
        names[id(one)]
        for group, rate in zip(groups, rates, strict=True)
        if rate == 0 and max(rates) > 0
        for one in group["params"]
        if id(one) in own
    ]
    return {
        "optimiser": type(optimiser).__name__,
        "learning_rate": max(rates, default=math.nan),
        "weight_decay": max(decays, default=0.0),
        "rate_of_zero": still,
    }


def answers_of(kind: str, outputs: torch.Tensor, targets: torch.Tensor, ignored: int = -100) -> dict[str, Any]:
    """What is answered, by class: how many samples are of each, how many of these are right, how often it is named.

    Of one label, or of one class among some. Of numbers `correlation` with the targets, the mean over columns, and
    `count` of samples; empty otherwise.
    """
    with torch.no_grad():
        if kind == "cross-entropy":
            if outputs.dim() < 2 or outputs.shape[1] > MOST_CLASSES:
                return {}
            classes = outputs.shape[1]
            flat = targets.detach().reshape(-1)
            step = max(1, flat.numel() // MOST_ANSWERS)
            named = outputs.detach().argmax(dim=1).reshape(-1)[::step].cpu().numpy()
            true = flat[::step].cpu().numpy()
            named, true = named[true != ignored], true[true != ignored]
        elif kind in ("binary", "probabilities") and targets.numel() in (len(targets), 1):
            classes, bound = 2, 0.0 if kind == "binary" else 0.5
            named = (outputs.detach().reshape(-1)[:MOST_ANSWERS] > bound).long().cpu().numpy()
            true = (targets.detach().reshape(-1)[:MOST_ANSWERS] > 0.5).long().cpu().numpy()
        elif kind in ("squared", "absolute") and outputs.shape == targets.shape:
            return _related(outputs, targets)
        else:
            return {}
    if not len(true) or true.min() < 0 or true.max() >= classes:
        return {}
    return {
        "samples": np.bincount(true, minlength=classes).tolist(),
        "right": np.bincount(true[named == true], minlength=classes).tolist(),
        "named": np.bincount(named, minlength=classes).tolist(),
    }


def _related(outputs: torch.Tensor, targets: torch.Tensor) -> dict[str, Any]:
    own, of = (
        values.detach().float().reshape(len(values), -1)[:MOST_ANSWERS, :MOST_CLASSES] for values in (outputs, targets)
    )
    if len(own) < 2:
        return {}
    own, of = own - own.mean(dim=0), of - of.mean(dim=0)
    sizes = (own.square().sum(dim=0) * of.square().sum(dim=0)).sqrt()
    found = torch.where(sizes > 0, (own * of).sum(dim=0) / sizes, torch.zeros_like(sizes))
    return {"correlation": float(found.mean()), "count": len(own)}


def is_half(value: Any) -> bool:
    """Whether a tensor, or the first of several, is of float16: what is below 6e-8 is zero there."""
    if isinstance(value, (tuple, list)) and value:
        value = value[0]
    return isinstance(value, torch.Tensor) and value.dtype == torch.float16


def is_finite_model(model: nn.Module) -> bool:
    """Whether all parameters that train are finite."""
    own = [one.detach() for one in model.parameters() if one.requires_grad and one.device.type != "meta"]
    return all(bool(torch.isfinite(one).all()) for one in own)


def size_of_output(value: Any) -> float:
    """The largest |x| of all tensors that a model returns, one level deep; NaN where one is not finite."""
    values = value.values() if isinstance(value, dict) else value if isinstance(value, (tuple, list)) else [value]
    tensors = [own.detach() for own in values if isinstance(own, torch.Tensor) and own.is_floating_point()]
    sizes = [float(own.abs().max()) for own in tensors if own.numel() and own.layout == torch.strided]
    return max(sizes, default=0.0) if all(map(math.isfinite, sizes)) else math.nan
