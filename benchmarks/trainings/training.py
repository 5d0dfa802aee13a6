"""A small PyTorch training as users write them: healthy, or with a fault of a known kind beside its twin without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import nn

Build = Callable[[], nn.Module]
Train = Callable[[nn.Module, int], float]
HEALTHY = "healthy"
Half = Literal["tuning", "held out"]


@dataclass(frozen=True)
class Training:
    """One training.

    Attributes:
        name: for a table.
        kind: of fault, or HEALTHY.
        half: which half it belongs to: rules may be chosen on one of them alone.
        build: what makes the model; seeded before it is called.
        train: a whole loop from a model and a seed to the score on validation data, higher is better: balanced
            accuracy or R².
        layers: names of the modules in any of which the fault can be said to lie; empty where it lies in none.
        twin: the same without the fault; None of a healthy one.
    """

    name: str
    kind: str
    half: Half
    build: Build
    train: Train
    layers: tuple[str, ...] = ()
    twin: tuple[Build, Train] | None = None
