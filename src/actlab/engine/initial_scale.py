"""Initial weights that suit each function: the stated draws, scaled variant by variant.

Every variant of a seed starts from the same random numbers; what differs is their scale. With W of n inputs to a unit:

- "stated": as the layer's initialiser says.
- "gain": Var W = g²/n behind a function of gain g = 1/√E f(z)², which keeps a unit variance through the layer; 1/n for
  the layers before the first function. Of relu, g = √2: He's rule (arXiv 1502.01852).
- "critical": Var W = σ_w²/n everywhere, the point between order and chaos (Poole and others 2016, arXiv 1606.05340;
  Schoenholz and others 2016, arXiv 1611.01232). Its biases are zero, as all are that the layers state.

A function whose facts have no gain or no critical point starts as stated, and so does what a residual block projects
its input with.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from actlab import initialisers
from actlab.engine.forward import PopulationModel
from actlab.functions import catalogue
from actlab.layers import WEIGHTED, Act
from actlab.network import BuiltLayer
from actlab.plan.population import Population
from actlab.study import Variant

Tree = Any
Factors = np.ndarray[Any, np.dtype[np.float64]]


def weight_factors(population: Population) -> dict[str, Factors]:
    """By layer, what each variant's drawn weights are multiplied with, (variants,); layers left as drawn are left out.

    >>> from actlab.plan.population import populations
    >>> from actlab.layers import Dense
    >>> from actlab.study import Study
    >>> layers = [Dense(4, init="normal(1)"), Act(), Dense(2, init="normal(1)")]
    >>> study = Study(network=layers, activations=["relu"], learning_rates=[0.1], init="gain")
    >>> (population,) = populations(study, (16,))
    >>> {name: factors.round(3).tolist() for name, factors in weight_factors(population).items()}
    {'dense1': [1.0, 0.25], 'dense2': [1.0, 0.707]}
    """
    found: dict[str, Factors] = {}
    before: BuiltLayer | None = None
    for built in population.network.layers:
        if isinstance(built.layer, WEIGHTED):
            factors = np.array([_factor(variant, built, before) for variant in population.variants])
            if (factors != 1).any():
                found[built.name] = factors
        elif isinstance(built.layer, Act):
            before = built
    return found


def _factor(variant: Variant, built: BuiltLayer, before: BuiltLayer | None) -> float:
    studied = catalogue[variant.activation]
    gain, critical = studied.facts().gain, studied.facts().critical
    if variant.init == "critical" and critical is not None:
        wanted = critical.weight_std
    elif variant.init == "gain" and gain is not None:
        # Behind a fixed function that has no gain, as behind none, the variance is taken as it comes.
        wanted = (before and before.layer.activation(studied).facts().gain) or 1.0
    else:
        return 1.0
    shape = built.parameter_shapes["weight"]
    window = math.prod(shape[:-2])
    stated = initialisers.standard_deviation(built.layer.init, window * shape[-2], window * shape[-1])
    return wanted / math.sqrt(window * shape[-2]) / stated


def rescaled(model: PopulationModel, params: Tree) -> Tree:
    """The stated initial parameters of all members, their weights scaled variant by variant, in the same layout."""
    found = dict(params)
    # A function of one's own is differentiated by JAX where its facts are measured: now, not in what is being traced.
    with jax.ensure_compile_time_eval():
        by_layer = weight_factors(model.population)
    for name, factors in by_layer.items():
        weight = params[name]["weight"]
        scale = model.layout.broadcast_rates(jnp.asarray(factors, weight.dtype), weight.ndim)
        found[name] = {**params[name], "weight": weight * scale}
    return found
