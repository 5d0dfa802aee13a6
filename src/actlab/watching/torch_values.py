"""Statistics of tensors for a look, in float32, without a trace in the training: nothing drawn, nothing changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache

import numpy as np
import torch

from actlab.functions import catalogue
from actlab.functions.measured.facts import slope_supremum
from actlab.recording.measures import BINS, BINS_PER_DECADE, DECADES, REACH

# A function counts as flat where its slope is below this share of the largest, as in the engine.
FLAT = 1e-3
# Of larger tensors every so manieth sample is looked at: for units that are flat, and, of fewer, for all else; and a
# histogram counts every so manieth value.
MOST_VALUES, MOST_MEASURED, MOST_COUNTED = 2**18, 2**15, 2**11
# Of a larger matrix so many weights are held against what they become.
MOST_WEIGHTS = 2**14
FEWEST_SAMPLES = 8


def some_rows(values: torch.Tensor, most: int = MOST_VALUES) -> torch.Tensor:
    """Samples of a tensor, some `most` numbers and eight samples at least, detached and in float32."""
    stride = max(1, min(math.ceil(values.numel() / most), len(values) // FEWEST_SAMPLES)) if values.dim() else 1
    own = values.detach()
    return (own[::stride] if own.dim() else own[None]).to(torch.float32)


def histogram(values: torch.Tensor, *, gradient: bool = False) -> np.ndarray:
    """Counts in the bins of `histogram_edges`, or of sizes in those of `gradient_edges`; NaN is counted nowhere.

    The bins are equal steps of asinh(2x), and of log₁₀|x|: where a value lies is computed, not looked for.
    """
    flat = values.detach().reshape(-1)
    own = flat[:: max(1, math.ceil(flat.numel() / MOST_COUNTED))].to(torch.float32).cpu().numpy()
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        if gradient:
            low, high = DECADES
            places = np.floor(BINS_PER_DECADE * (np.log10(np.abs(own)) - low)) + 1
            bins = BINS_PER_DECADE * (high - low) + 1
        else:
            places = np.floor((np.arcsinh(2 * own) + REACH) * (BINS / (2 * REACH)))
            bins = BINS
        known = np.clip(places[~np.isnan(places)], 0, bins - 1).astype(np.int64)
    return np.bincount(known, minlength=bins)


def norm(values: torch.Tensor) -> float:
    """‖·‖₂ in float32, of sparse tensors too: in half precision it would overflow at 65,504."""
    if values.is_sparse:
        values = values.coalesce().values()
    return float(torch.linalg.vector_norm(values.detach(), dtype=torch.float32 if _is_half(values) else None))


def _is_half(values: torch.Tensor) -> bool:
    return values.dtype in (torch.float16, torch.bfloat16)


def slope_of(
    function: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor, *, drawing: bool = True
) -> torch.Tensor:
    """The slope of an element-wise function at its inputs, as PyTorch goes back through it."""
    # What a checkpoint around the call counts and keeps is not to be of this; nor is anything drawn from the training.
    devices = [inputs.device] if inputs.device.type != "cpu" else []
    apart = torch.random.fork_rng(devices, device_type=inputs.device.type) if drawing else nullcontext()
    kept = torch.autograd.graph.saved_tensors_hooks(lambda own: own, lambda own: own)
    with torch.enable_grad(), kept, apart:
        own = inputs.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(function(own).sum(), own)
    return slope


@cache
def supremum(name: str) -> float | None:
    """Of |f'| of a function of the catalogue; None where that is not known, or infinite."""
    if name not in catalogue:
        return None
    found = slope_supremum(catalogue[name])
    return found if found is not None and math.isfinite(found) else None


def sample_of(parameter: torch.Tensor) -> torch.Tensor:
    """Some weights, to be held against the same after a step: a copy, at most MOST_WEIGHTS of them."""
    flat = parameter.detach().reshape(-1)
    return flat[:: max(1, math.ceil(flat.numel() / MOST_WEIGHTS))].to(torch.float32, copy=True)
