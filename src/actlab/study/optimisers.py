"""Optimisers with their settings, and the learning rates that go with them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field

from actlab.errors import UnknownName

Share = Annotated[float, Field(ge=0, lt=1, strict=True)]
Positive = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]


class Frozen(BaseModel):
    """Settings that do not change, and have no other keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SGD(Frozen):
    """Stochastic gradient descent: v ← momentum·v + gradient, w ← w − learning_rate·v."""

    name: Literal["sgd"] = "sgd"
    momentum: Share = 0.0


class Adam(Frozen):
    """Adam (Kingma & Ba 2015, arXiv 1412.6980)."""

    name: Literal["adam"] = "adam"
    beta1: Share = 0.9
    beta2: Share = 0.999
    epsilon: Positive = 1e-8


class AdamW(Frozen):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101)."""

    name: Literal["adamw"] = "adamw"
    beta1: Share = 0.9
    beta2: Share = 0.999
    epsilon: Positive = 1e-8
    weight_decay: Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)] = 0.01


class RMSProp(Frozen):
    """RMSProp (Tieleman & Hinton 2012, lecture 6.5).

    w ← w − learning_rate·gradient / √(running mean of gradient² + ε)
    """

    name: Literal["rmsprop"] = "rmsprop"
    decay: Share = 0.9
    epsilon: Positive = 1e-8


OPTIMISERS = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSProp}


def _optimiser_by_name(value: Any) -> Any:
    name = value.get("name") if isinstance(value, dict) else value
    if isinstance(name, str) and name not in OPTIMISERS:
        raise UnknownName("optimiser", name, OPTIMISERS)
    return {"name": value} if isinstance(value, str) else value


Optimiser = Annotated[
    Annotated[SGD | Adam | AdamW | RMSProp, Discriminator("name")], BeforeValidator(_optimiser_by_name)
]


def usual_rate(optimiser: Any) -> float:
    """The learning rate that an optimiser, or one of that name, is used with where nothing is stated."""
    name = optimiser.get("name") if isinstance(optimiser, dict) else getattr(optimiser, "name", optimiser)
    return 0.05 if name == "sgd" else 0.001


def rates_around(centre: float) -> tuple[float, ...]:
    """Five learning rates a factor √10 apart, three digits each.

    >>> rates_around(0.001)
    (0.0001, 0.000316, 0.001, 0.00316, 0.01)
    """
    return tuple(float(f"{centre * 10**power:.3g}") for power in (-1, -0.5, 0, 0.5, 1))
