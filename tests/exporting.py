"""Functions of the catalogue exported to ONNX by PyTorch at its defaults, several at a time, and run by ONNX Runtime.

An export takes two seconds, and half a second for each function, which grows where there are very many in one.
"""

import functools
import warnings

import numpy as np
import onnxruntime
import torch
from torch import nn

from actlab.functions import catalogue
from actlab.torch import Activation

UNITS, TOGETHER = 8, 27
#: Functions with weights need to know how many units there are, and funnel_relu takes images.
WEIGHTED = [name for name in catalogue if any(parameter.shape for parameter in catalogue[name].parameters)]
IMAGES = ["funnel_relu"]
#: They take the mean or a weighted sum of a row, whose terms may cancel.
OF_A_ROW = ["abs_relu", "meta_acon", "dynamic_relu"]
NAMES = [name for name in catalogue if name not in IMAGES]
#: Added to every export, to see that the optimiser of the exporter, which drops it, was at work.
DROPPED = 1e-9


def grid():
    """Rows of units: −30 to 30, small numbers of both signs, and rows with one ±0, ±inf or NaN among ones."""
    small = np.logspace(-30, -3, 541)
    x = np.concatenate([np.linspace(-30, 30, 6001), small, -small]).astype(np.float32)
    # In order, what is taken from the mean of a row would be as small as rounding errors.
    x = np.random.default_rng(0).permutation(x)
    rows = x[: len(x) // UNITS * UNITS].reshape(-1, UNITS)
    special = np.ones((5, UNITS), np.float32)
    special[:, 2] = [0.0, -0.0, np.inf, -np.inf, np.nan]
    return np.concatenate([rows, special])


class Several(nn.Module):
    """Functions of the same input, and a sum that the optimiser drops."""

    def __init__(self, names):
        super().__init__()
        torch.manual_seed(0)
        self.parts = nn.ModuleList(module(name) for name in names)

    def forward(self, x):
        return tuple(part(x) for part in self.parts), x + DROPPED


def module(name):
    return Activation(name, units=UNITS if name in WEIGHTED else None)


def exported(model, x, training=False, **options):
    """A session of ONNX Runtime for a model."""
    return session(program(model, x, training, **options))


def program(model, x, training=False, **options):
    """What PyTorch exports."""
    with warnings.catch_warnings():
        # PyTorch's exporter uses what PyTorch has deprecated.
        warnings.filterwarnings("ignore", category=FutureWarning, module="copyreg")
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        if training:
            warnings.filterwarnings("ignore", "Exporting a model while it is in training mode")
        return torch.onnx.export(model.train(training), (torch.from_numpy(x),), **options)


def session(program):
    return onnxruntime.InferenceSession(program.model_proto.SerializeToString())


def size_of_terms(name, x):
    """What a difference is relative to, if not to the value: the largest input of a row, or of all images."""
    if name in IMAGES:
        return np.full_like(x, np.max(np.abs(x)))
    return np.max(np.abs(x), axis=1, keepdims=True) if name in OF_A_ROW else None


def run(session, x):
    return session.run(None, {session.get_inputs()[0].name: x})


def eager(model, x):
    with torch.no_grad():
        return model(torch.from_numpy(x))


@functools.cache
def together(number):
    """Of one group of functions: name → (exported, eager) at `grid`; and what became of the sum."""
    names, x = NAMES[number * TOGETHER : (number + 1) * TOGETHER], grid()
    model = Several(names)
    *got, dropped = run(exported(model, x), x)
    wanted, _ = eager(model, x)
    return {name: (g, w.numpy()) for name, g, w in zip(names, got, wanted, strict=True)}, dropped


def both(name):
    """(exported, eager) at `grid`."""
    return together(NAMES.index(name) // TOGETHER)[0][name]


def apart(got, wanted, size=None):
    """Largest difference relative to `size`, else to the wanted number; inf where infinities or NaN are others.

    What underflows in float32 is compared as 0.
    """
    got, wanted = got.astype(np.float64), wanted.astype(np.float64)
    with np.errstate(invalid="ignore"):
        difference = abs(got - wanted)
    size = np.maximum(abs(wanted) if size is None else size, np.finfo(np.float32).tiny)
    same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
    known = np.isfinite(got) & np.isfinite(wanted)
    return float(np.max(np.where(same, 0.0, np.where(known, difference / size, np.inf))))
