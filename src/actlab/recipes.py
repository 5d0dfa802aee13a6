"""Named studies: published experiments and the default comparison, every setting stated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from actlab.errors import UnknownName
from actlab.layers import Act, Dense, Flatten
from actlab.study import EIGHT, SGD, Adam, Milestone, Study


@dataclass(frozen=True)
class Recipe:
    """A study with its story: `title` in one line and `source`, where the settings come from."""

    title: str
    source: str
    study: Study


DIGITS = Recipe(
    title="Real handwritten digits, 64-128-128-10, eight activations, ten seeds",
    source="Data: Alpaydin & Kaynak 1998, UCI optical recognition of handwritten digits, in scikit-learn.",
    study=Study(
        name="digits",
        task="digits",
        network=(Flatten(), Dense(128), Act(), Dense(128), Act(), Dense(10)),
        activations=EIGHT,
        optimiser=Adam(),
        learning_rates=(0.001,),
        batch=32,
        epochs=40,
        seeds=tuple(range(10)),
    ),
)

PARABOLAS = Recipe(
    title="Two parabolas, 2-2-1: the feature space twists until a line separates the classes",
    source=(
        "D. V. Godoy, Hyper-parameters in Action, part I: Activation functions (2018), with its own "
        "deepreplay: one seed there. Validation and test points are ours."
    ),
    study=Study(
        name="parabolas",
        task="parabolas",
        network=(Dense(2, init="glorot_normal"), Act(), Dense(1, init="normal(0.05)")),
        activations=("sigmoid", "tanh", "relu"),
        optimiser=SGD(),
        learning_rates=(0.05,),
        batch=16,
        epochs=150,
        seeds=tuple(range(100)),
        milestones=(Milestone(name="negatives all right", label=0), Milestone(name="all right")),
    ),
)

RECIPES: Mapping[str, Recipe] = MappingProxyType({"digits": DIGITS, "parabolas": PARABOLAS})


def recipe(name: str) -> Recipe:
    """The recipe of that name. Raises UnknownName with the nearest one.

    >>> recipe("parabolas").study.epochs
    150
    """
    if name not in RECIPES:
        raise UnknownName("recipe", name, RECIPES)
    return RECIPES[name]
