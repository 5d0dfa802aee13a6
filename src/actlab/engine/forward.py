"""A population's network carried out: what `Network.apply` does for one member, for all of them at once.

`PopulationModel` is the network of a population with the layout of its arrays. `forward` runs it as it is used,
`forward_training` as it is trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from actlab.custom import TracedNetwork
from actlab.engine import custom
from actlab.engine.layouts import Layout
from actlab.errors import InvalidStudy
from actlab.layers import WEIGHTED, Act, BatchNorm, Dropout, Fork, Join
from actlab.network import Network
from actlab.objectives import Objective
from actlab.plan.population import Population

Array = jax.Array
Tree = Any


@dataclass(frozen=True)
class PopulationModel:
    """The network of a population and how its arrays lie in memory.

    Attributes:
        population: who computes.
        layout: of parameters and activations.
    """

    population: Population
    layout: Layout

    @property
    def network(self) -> Network | TracedNetwork:
        """The network: in all but the functions that of every member."""
        return self.population.network

    @property
    def objective(self) -> Objective:
        """What its outputs mean."""
        return self.population.objective

    def losses(self, outputs: Array, y: Array) -> Array:
        """The loss of every sample, without the axis of the outputs; of classes in nats.

        Args:
            outputs: in the layout, on its unit axis.
            y: class indices, the same axes without that of the outputs (length 1: the same for all); or numbers, the
                same axes.
        """
        return self.objective.loss(outputs, y, jnp, self.layout.unit_axis % outputs.ndim)

    def right(self, outputs: Array, y: Array) -> Array:
        """Whether each sample is put into its class; arguments and shape as of `losses`."""
        assert self.objective.decided is not None
        return self.objective.decided(outputs, y, jnp, self.layout.unit_axis % outputs.ndim)

    def scores(self, outputs: Array, y: Array) -> dict[str, Array]:
        """What each sample adds to each metric, by the metric's name; arguments and shapes as of `losses`.

        Of metrics that are finished by target, (..., targets, samples), samples last.
        """
        axis = self.layout.unit_axis % outputs.ndim
        found = {metric.name: jnp.asarray(metric.score(outputs, y, jnp, axis)) for metric in self.objective.metrics}
        by_target = {metric.name for metric in self.objective.metrics if metric.finish}
        wanted = (*outputs.shape[:axis], *outputs.shape[axis + 1 :])
        for name, scores in found.items():
            if name not in by_target and scores.shape != wanted:
                raise InvalidStudy(
                    f"metric {name!r} must score each sample: an array of shape {wanted} is expected for outputs of "
                    f"shape {outputs.shape}, and it gives {scores.shape}."
                )
        return {name: jnp.moveaxis(own, axis, -2) if name in by_target else own for name, own in found.items()}

    def mean_loss(self, losses: Array, weights: Array | None) -> Array:
        """Sum over all members of each one's mean loss, so that its gradient holds every member's own gradient.

        Args:
            losses: what `losses` returns.
            weights: (batch, seeds), 0 for the padding of an epoch's last batch, else 1; None for no padding.
        """
        if weights is None:
            return jnp.sum(jnp.mean(losses, axis=self.layout.sample_axis))
        weights = self.layout.place_samples(weights)
        share = weights / jnp.sum(weights, axis=self.layout.sample_axis, keepdims=True)
        return jnp.sum(losses * share)


@dataclass(frozen=True)
class Batch:
    """What a training step knows of its batch besides the samples.

    Attributes:
        keys: random keys (seeds,), for dropout and for functions that draw; None where nothing is drawn.
        weights: (batch, seeds), 1 for samples that count, 0 for the padding of an epoch's last batch; None where
            all count.
    """

    keys: Array | None = None
    weights: Array | None = None


def forward(
    model: PopulationModel, params: Tree, x: Array, *, taps: Mapping[str, Array] | None = None
) -> tuple[Array, dict[str, tuple[Array, Array]]]:
    """Run all members through the network as trained: what `Network.apply` does for one.

    Args:
        model: the network and how `params` and `x` lie in memory.
        params: `{layer: {parameter: array}}`, for an `Act` `{layer: {function: {parameter: array}}}`, the latter with
            the variants of that function alone.
        x: activations in the layout; axes of length 1 stand for "the same for all".
        taps: by name of an `Act`, zeros added to its output: the gradient with respect to them is the gradient
            with respect to the activations.

    Returns:
        logits in the layout, outputs on its unit axis; and by name of each `Act` its pre-activations and
        activations. Before the first layer with weights these may have a variant or seed axis of length 1.
    """
    if isinstance(model.network, TracedNetwork):
        return custom.forward(model.population, params, x, taps=taps)
    logits, seen, _ = _run(model, params, x, None, taps)
    return logits, seen


def forward_training(
    model: PopulationModel, params: Tree, x: Array, batch: Batch
) -> tuple[Array, dict[str, dict[str, Array]]]:
    """Run all members through the network as one trains it: what `Network.apply` does with `training=True`.

    Args:
        model, params, x: as for `forward`.
        batch: what is drawn, and which samples count.

    Returns:
        logits; and by name of each batch normalisation the running statistics as they are after this batch.
    """
    if isinstance(model.network, TracedNetwork):
        return custom.forward(model.population, params, x, keys=batch.keys)[0], {}
    logits, _, statistics = _run(model, params, x, batch, None)
    return logits, statistics


def _run(
    model: PopulationModel,
    params: Tree,
    x: Array,
    batch: Batch | None,
    taps: Mapping[str, Array] | None,
) -> tuple[Array, dict[str, tuple[Array, Array]], dict[str, dict[str, Array]]]:
    seen: dict[str, tuple[Array, Array]] = {}
    statistics: dict[str, dict[str, Array]] = {}
    kept: list[Array] = []
    keys = None if batch is None else batch.keys
    x = _owned(model, params, x)
    for number, built in enumerate(model.network.layers):
        layer, own = built.layer, params.get(built.name, {})
        if isinstance(layer, Act):
            before = x
            x = _activate(model, own, built, x, None if keys is None else _at_layer(keys, number))
            if taps is not None:
                x = x + taps[built.name]
            seen[built.name] = (before, x)
        elif isinstance(layer, Dropout):
            x = x if keys is None else x * model.layout.mask(layer, _at_layer(keys, number), x)
        elif isinstance(layer, BatchNorm):
            if batch is None:
                x = layer.apply({name: model.layout.place_parameter(value, x) for name, value in own.items()}, x)
            else:
                x, statistics[built.name] = model.layout.normalise(layer, own, x, batch.weights)
        elif isinstance(layer, Fork):
            kept.append(x)
        elif isinstance(layer, Join):
            shortcut = kept.pop()
            x = x + (model.layout.linear(layer.projection, own, shortcut) if layer.projection else shortcut)
        elif built.weighted_layer:
            x = model.layout.linear(layer, own, x)
        else:
            x = model.layout.transform(layer, x)
    return x, seen, statistics


def _owned(model: PopulationModel, params: Tree, x: Array) -> Array:
    """The data, one copy for every member where a function stands straight on them: each has its own from there on."""
    first = next(built.layer for built in model.network.layers if isinstance(built.layer, (Act, *WEIGHTED)))
    if not isinstance(first, Act):
        return x
    shape = list(x.shape)
    shape[model.layout.variant_axis] = len(model.population.variants)
    shape[model.layout.seed_axis] = params[model.network.weight_layers[0]]["weight"].shape[model.layout.seed_axis]
    return jnp.broadcast_to(x, shape)


def _at_layer(keys: Array, number: int) -> Array:
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)


def _activate(model: PopulationModel, params: Tree, built: Any, x: Array, keys: Array | None) -> Array:
    groups = model.population.groups_at(built)
    parts = []
    for group in groups:
        part = model.layout.slice_variants(x, group.start, group.stop) if len(groups) > 1 else x
        if keys is not None and group.function.noise:
            own = params.get(group.function.name, {})
            parts.append(_activate_with_noise(model.layout, group.function, part, own, keys))
        else:
            parts.append(group.function(part, **function_arguments(model.layout, group.function, params, part)))
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=model.layout.variant_axis)


def _activate_with_noise(layout: Layout, function: Any, x: Array, params: Mapping[str, Array], keys: Array) -> Array:
    """A function that draws at random: by seed, and alike for all variants, so that comparisons stay paired."""
    axes = (layout.variant_axis, layout.seed_axis, layout.sample_axis)
    own = {name: layout.members_first(value) for name, value in params.items()}

    def member(x: Array, own: dict[str, Array], key: Array) -> Array:
        # Samples first, units last, as in `Network.apply`, which draws the same.
        return function(x, axis=-1, key=key, **own)

    seeds = jax.vmap(member)
    variants = jax.vmap(seeds, in_axes=(0, 0, None))
    return jnp.moveaxis(variants(jnp.moveaxis(x, axes, (0, 1, 2)), own, keys), (0, 1, 2), axes)


def function_arguments(layout: Layout, function: Any, params: Tree, x: Array) -> dict[str, Any]:
    """Keyword arguments of a function at a place: its trainable parameters and, for grouping ones, the unit axis.

    Args:
        layout: the layout of `x` and `params`.
        function: the Activation.
        params: of the place, `{function: {parameter: array}}`; functions without trainable ones are not in it.
        x: the function's input.

    >>> from actlab.engine.layouts import MembersFirst
    >>> from actlab.functions import catalogue
    >>> function_arguments(MembersFirst(), catalogue["softmax"], {}, jnp.zeros((1, 1, 4, 3)))
    {'axis': -1}
    """
    own = params.get(function.name, {})
    arguments: dict[str, Any] = {name: layout.place_parameter(value, x) for name, value in own.items()}
    return arguments | ({"axis": layout.unit_axis} if function.kind == "grouping" else {})
