"""A user's own network run for a whole population: vmapped over seeds and variants, in the stacked layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from actlab.custom import TracedNetwork
from actlab.plan.population import Group, Population

Array = jax.Array
Tree = Any
Seen = dict[str, tuple[Array, Array]]


def forward(
    population: Population,
    params: Tree,
    x: Array,
    *,
    keys: Array | None = None,
    taps: Mapping[str, Array] | None = None,
) -> tuple[Array, Seen]:
    """Run all members through the network; arguments and results as of `forward.forward` in the stacked layout.

    Args:
        population: whose network it is.
        params: `{"network": the user's tree, place: {function: {parameter: array}}}`, (variants, seeds, ...) each.
        x: (1, seeds or 1, batch, *sample shape).
        keys: (seeds,) random keys while training; the network is then told `training=True`.
        taps: by name of a place, zeros (variants, seeds, ...) added to the function's output.
    """
    network = population.network
    assert isinstance(network, TracedNetwork)
    logits, seen = [], []
    for group in population.groups:
        own_logits, own_seen = _group(network, group, params, x[0], keys, taps or {})
        logits.append(own_logits)
        seen.append(own_seen)
    return jnp.concatenate(logits), jax.tree.map(lambda *parts: jnp.concatenate(parts), *seen)


def _group(
    network: TracedNetwork, group: Group, params: Tree, x: Array, keys: Array | None, taps: Mapping[str, Array]
) -> tuple[Array, Seen]:
    function = group.function
    variants = slice(group.start, group.stop)
    weights = jax.tree.map(lambda leaf: leaf[variants], params["network"])
    # Parameters of a function lie with the variants of that function alone.
    own = {
        built.name: params[built.name][function.name]
        for built in network.layers
        if function.name in params.get(built.name, {})
    }
    tapped = {name: tap[variants] for name, tap in taps.items()}

    def member(weights: Tree, own: Tree, x: Array, key: Array | None, tapped: Tree) -> tuple[Array, Seen]:
        seen: Seen = {}

        def act(z: Array, name: str | None = None) -> Array:
            place = name or f"act{len(seen) + 1}"
            arguments: dict[str, Any] = dict(own.get(place, {}))
            if function.kind == "grouping":
                arguments["axis"] = -1
            if key is not None and function.noise:
                arguments["key"] = jax.random.fold_in(key, len(seen))
            a = function(z, **arguments)
            a = a + tapped[place] if place in tapped else a
            seen[place] = (z, a)
            return a

        logits = network.own.apply(weights, x, act, training=key is not None, key=key)
        return logits, seen

    shared = x.shape[0] == 1
    x = x[0] if shared else x
    by_seed = jax.vmap(member, in_axes=(0, 0, None if shared else 0, None if keys is None else 0, 0))
    by_arm = jax.vmap(by_seed, in_axes=(0, 0, None, None, 0))
    return by_arm(weights, own, x, keys, tapped)
