"""Statistics of tensors for a look, in float32, without a trace in the training: nothing drawn, nothing changed.

Small arrays are NumPy's: a call of it costs a fraction of one of PyTorch's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cache

import numpy as np
import numpy.typing as npt
import torch

from actlab.functions import catalogue
from actlab.functions.measured.facts import slope_supremum
from actlab.recording.measures import BINS, BINS_PER_DECADE, DECADES, REACH

# A function counts as flat where its slope is below this share of the largest, as in the engine.
FLAT = 1e-3
# Of larger tensors every so manieth sample is looked at for units that are flat; of fewer samples and units all else
# is measured; and a histogram counts every so manieth value.
MOST_VALUES, MOST_MEASURED, MOST_COUNTED = 2**17, 2**12, 2**9
# Of a larger matrix so many weights are held against what they become.
MOST_WEIGHTS = 2**11
FEWEST_SAMPLES, MEASURED_SAMPLES = 8, 32

Array = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int64]


def some_rows(values: torch.Tensor, most: int = MOST_VALUES) -> torch.Tensor:
    """Samples of a tensor, some `most` numbers and eight samples at least, detached and in float32."""
    own = values.detach()
    if not own.dim():
        return own[None].to(torch.float32)
    count, samples = own.numel(), len(own)
    if count > most and samples > FEWEST_SAMPLES:
        own = own[:: max(1, min(math.ceil(count / most), samples // FEWEST_SAMPLES))]
    return own if own.dtype is torch.float32 else own.to(torch.float32)


def array_of(values: torch.Tensor) -> Array:
    """The numbers of a tensor in float32: on the CPU the very same memory, to be read at once."""
    own = values.detach()
    if own.device.type != "cpu" or own.dtype is not torch.float32:
        own = own.to("cpu", torch.float32)
    return own.resolve_neg().numpy() if own.is_neg() else own.numpy()


def measured(values: Array) -> Array:
    """A copy of some samples and units, (samples, units): at most MOST_MEASURED numbers."""
    own = values.reshape(len(values), -1)
    if own.size > MOST_MEASURED:
        rows = max(1, len(own) // MEASURED_SAMPLES)
        own = own[::rows, :: stride_of(-(-len(own) // rows) * own.shape[1], MOST_MEASURED)]
    return own.copy()


def some_values(values: torch.Tensor, most: int = MOST_COUNTED) -> Array:
    """A copy of every so manieth number of a tensor, at most `most`."""
    own = values.detach()
    if own.device.type == "cpu" and own.dtype is torch.float32:
        flat = array_of(own).reshape(-1)
        return flat[:: stride_of(flat.size, most)].copy()
    flat = own.reshape(-1)
    return array_of(flat[:: stride_of(flat.numel(), most)]).copy()


def stride_of(count: int, most: int) -> int:
    """Odd, so that not the same columns of a matrix come again and again."""
    return -(-count // most) | 1 if count > most else 1


def histograms(samples: Sequence[Array], *, gradient: bool = False) -> list[Counts]:
    """Counts of each sample in the bins of `histogram_edges`, or of sizes in those of `gradient_edges`; NaN nowhere.

    The bins are equal steps of asinh(2x), and of log₁₀|x|: where a value lies is computed, not looked for. All at
    once: of so small arrays what counts is how often NumPy is called.
    """
    if not samples:
        return []
    low, high = DECADES
    bins = BINS_PER_DECADE * (high - low) + 1 if gradient else BINS
    own = np.concatenate(samples)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        size = np.abs(own)
        if gradient:
            places = np.log(size)
            places *= np.float32(BINS_PER_DECADE / math.log(10))
            places -= np.float32(BINS_PER_DECADE * low - 1)
        else:
            # asinh(y) = sign(y) log(|y| + √(y² + 1)), several times as fast as NumPy's own.
            size += size
            places = np.copysign(np.log(size + np.sqrt(size * size + 1)), own)
            places += np.float32(REACH)
            places *= np.float32(BINS / (2 * REACH))
        np.floor(places, out=places)
        np.maximum(places, np.float32(0), out=places)
        np.minimum(places, np.float32(bins - 1), out=places)
    # What is no number is counted one bin further, which is dropped.
    unknown = np.isnan(places)
    if unknown.any():
        places[unknown] = bins
    places = places.astype(np.int64)
    places += np.repeat(np.arange(len(samples)) * (bins + 1), [one.size for one in samples])
    counts = np.bincount(places, minlength=len(samples) * (bins + 1))
    return list(counts.reshape(len(samples), bins + 1)[:, :bins])


def norms(tensors: Sequence[torch.Tensor]) -> list[float]:
    """‖·‖₂ of each in float32, of sparse tensors too: in half precision it would overflow at 65,504."""
    return numbers([size_of(own) for own in tensors])


def size_of(values: torch.Tensor) -> torch.Tensor:
    """‖·‖₂ as a tensor, which nothing waits for."""
    own = values.detach()
    if own.is_sparse:
        own = own.coalesce().values()
    if own.dtype in (torch.float16, torch.bfloat16):
        return torch.linalg.vector_norm(own, dtype=torch.float32)
    return torch.linalg.vector_norm(own)


def numbers(tensors: Sequence[torch.Tensor]) -> list[float]:
    """The numbers that tensors without dimensions hold, waiting once for all of a device."""
    if not tensors:
        return []
    first = tensors[0]
    if first.device.type == "cpu" or any(own.device != first.device or own.dtype != first.dtype for own in tensors):
        return [own.item() for own in tensors]
    return torch.stack(tuple(tensors)).tolist()


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
