"""Named studies: published experiments and the default comparison, every setting stated."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from actlab.errors import UnknownName
from actlab.recipes.cifar10 import CIFAR10_CNN, CIFAR10_LENET5
from actlab.recipes.description import Published, Recipe
from actlab.recipes.mnist import MNIST_CNN, MNIST_DEEP_MLP, MNIST_MLP
from actlab.recipes.small import DIABETES, DIGITS, FRIEDMAN, PARABOLAS, SINE, TIC_TAC_TOE
from actlab.recipes.times import Measured, measured

__all__ = ["RECIPES", "Measured", "Published", "Recipe", "measured", "recipe"]

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        found.study.name: found
        for found in (
            DIGITS,
            PARABOLAS,
            SINE,
            DIABETES,
            FRIEDMAN,
            TIC_TAC_TOE,
            MNIST_MLP,
            MNIST_DEEP_MLP,
            CIFAR10_LENET5,
            MNIST_CNN,
            CIFAR10_CNN,
        )
    }
)


def recipe(name: str) -> Recipe:
    """The recipe of that name. Raises UnknownName with the nearest one.

    >>> recipe("parabolas").study.epochs
    150
    """
    if name not in RECIPES:
        raise UnknownName("recipe", name, RECIPES)
    return RECIPES[name]
