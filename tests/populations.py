"""Small populations in every layout, and their members one by one."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from actlab.engine.forward import PopulationModel
from actlab.engine.layouts import MembersFirst, MembersLast, SamplesLast
from actlab.engine.training import initial_parameters
from actlab.plan.population import populations
from actlab.study import Study

LANES, STACKED, PLANES = MembersLast(), MembersFirst(), SamplesLast()
LAYOUTS = pytest.mark.parametrize("layout", [LANES, STACKED, PLANES], ids=lambda layout: layout.name)


def populations_of(layers, activations, rates=(0.1,), seeds=3, shape=(2,)):
    study = Study(network=layers, activations=activations, learning_rates=rates, seeds=seeds)
    return populations(study, shape)


def initial(population, layout, seeds):
    def draw(numbers):
        return initial_parameters(PopulationModel(population, layout), jax.vmap(jax.random.key)(numbers))

    return jax.jit(draw)(np.arange(seeds, dtype=np.uint32))


def into(layout, members_first):
    """Activations (variants, seeds, samples, units...) -> the layout."""
    if layout is PLANES:
        return np.moveaxis(members_first, 2, -1)
    return members_first if layout is STACKED else np.moveaxis(members_first, (0, 1), (-2, -1))


def by_member(layout, array):
    """Activations in the layout -> (variants, seeds, samples, units...)."""
    if layout is PLANES:
        return np.moveaxis(np.asarray(array), -1, 2)
    return np.asarray(array if layout is STACKED else np.moveaxis(array, (-2, -1), (0, 1)))


def parameters_into(layout, tree):
    """Parameters (variants, seeds, ...) -> the layout."""
    return jax.tree.map(lambda leaf: np.moveaxis(leaf, (0, 1), (-2, -1)), tree) if layout is LANES else tree


def parameters_by_member(layout, tree):
    """Parameters in the layout -> (variants, seeds, ...)."""
    tree = jax.tree.map(np.asarray, tree)
    return jax.tree.map(lambda leaf: np.moveaxis(leaf, (-2, -1), (0, 1)), tree) if layout is LANES else tree


def member_of(population, params, variant, seed):
    """What `Network.apply` takes of one member: a function's parameters lie at the variants of its group."""
    functions = population.network.act_layers
    own = {name: {k: v[variant, seed] for k, v in of.items()} for name, of in params.items() if name not in functions}
    for built, group, shapes in population.acts():
        if shapes and group.start <= variant < group.stop:
            values = params[built.name][group.function.name]
            own[built.name] = {k: v[variant - group.start, seed] for k, v in values.items()}
    return own
