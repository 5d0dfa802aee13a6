"""How the arrays of a population lie in memory, and how the layers compute on them.

MembersLast, for small networks: members last, `(in, out, variants, seeds)`, so that the compiler fills vector lanes
with members; a contraction over a few inputs is a sum of products. MembersFirst, for larger ones: members first,
`(variants, seeds, in, out)`, so that every member's layer is a whole matrix product. SamplesLast, for small networks on
many
samples, as they are observed: members first, samples last.

A layout knows nothing of training; `forward` and `forward_training` run a population through its network in any.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from actlab.custom import TracedNetwork
from actlab.engine import custom
from actlab.engine.convolutions import convolve, grouped
from actlab.layers import WEIGHTED, Act, BatchNorm, Conv, Dense, Dropout, Flatten, Fork, Join, Scale
from actlab.network import BuiltLayer, Network
from actlab.plan.population import Population

Array = jax.Array
Tree = Any

# Largest number of inputs of a layer up to which sums of products in lanes beat stacked matrix products.
# Measured by benchmarks/layouts.py: from some thirty members on; with fewer, both take microseconds.
MEMBERS_LAST_INPUTS = 16


class Layout(ABC):
    """Where the variant, seed, sample and unit axes of an array are.

    Attributes:
        seed_axis: axis of the seeds in parameters and in activations.
        arm_axis: axis of the variants, likewise.
        sample_axis: axis of the samples in activations.
        unit_axis: axis of the units (or channels) in activations.
        compiler_options: XLA's, for a CPU.
    """

    name: str
    seed_axis: int
    variant_axis: int
    sample_axis: int
    unit_axis: int
    compiler_options: Mapping[str, str] = MappingProxyType({})

    @abstractmethod
    def broadcast_seeds(self, per_seed: Array, variants: int) -> Array:
        """(seeds, ...) -> the same values for each of `variants` variants, in this layout."""

    @abstractmethod
    def members_first(self, array: Array) -> Array:
        """A parameter array in this layout -> (variants, seeds, ...), the stacked layout."""

    @abstractmethod
    def samples(self, x: Array) -> Array:
        """(batch, seeds, ...) -> activations with a variant axis of length 1."""

    @abstractmethod
    def broadcast_rates(self, values: Array, rank: int) -> Array:
        """(variants,) -> shaped to broadcast against a parameter of that rank."""

    @abstractmethod
    def linear(self, layer: Any, params: Mapping[str, Array], x: Array) -> Array:
        """Dense or Conv on activations."""

    @abstractmethod
    def transform(self, layer: Any, x: Array) -> Array:
        """A layer without parameters on activations, sample by sample."""

    @abstractmethod
    def mask(self, layer: Dropout, keys: Array, x: Array) -> Array:
        """Dropout's mask, drawn by seed and equal for all variants. `keys` (seeds,)."""

    def normalise(
        self, layer: BatchNorm, params: Mapping[str, Array], x: Array, weights: Array | None
    ) -> tuple[Array, dict[str, Array]]:
        """Batch normalisation while training: activations, and the running statistics as they are after it.

        `weights` (batch, seeds) are 1 for samples that count and 0 for padding; None where all count.
        """
        own = {name: self.parameter(value, x) for name, value in params.items()}
        members_and_units = {axis % x.ndim for axis in (self.variant_axis, self.seed_axis, self.unit_axis)}
        axes = tuple(axis for axis in range(x.ndim) if axis not in members_and_units)
        if weights is not None:
            weights = self.samples(weights.reshape(*weights.shape, *[1] * (x.ndim - 3)))
        y, moved = layer.train(own, x, axes, weights)
        return y, {name: value.reshape(params[name].shape) for name, value in moved.items()}

    def variants(self, array: Array, start: int, stop: int) -> Array:
        """The slice of some variants."""
        return jax.lax.slice_in_dim(array, start, stop, axis=self.variant_axis % array.ndim)

    def parameter(self, value: Array, x: Array) -> Array:
        """A function's trainable parameter, (units or 1) per member, shaped to broadcast against activations x."""
        return value


class MembersLast(Layout):
    """Members last: parameters (in, out, variants, seeds), activations (batch, units, variants, seeds).

    For fully connected networks: it has no convolution, no pooling and no local response normalisation.
    """

    name = "lanes"
    seed_axis, variant_axis, sample_axis, unit_axis = -1, -2, 0, -3
    # XLA would hand every small sum to a library of kernels (YNN): a call each time, and memory between them. Fused
    # loops instead took a sixth of the time for a step of 192 members. With vectors half as wide as the processor's, as
    # XLA would have them, an epoch takes a tenth longer.
    compiler_options = MappingProxyType(
        {"xla_cpu_experimental_ynn_fusion_type": "", "xla_cpu_prefer_vector_width": "512"}
    )

    def broadcast_seeds(self, per_seed: Array, variants: int) -> Array:
        last = jnp.moveaxis(per_seed, 0, -1)
        return jnp.broadcast_to(last[..., None, :], (*last.shape[:-1], variants, last.shape[-1]))

    def members_first(self, array: Array) -> Array:
        return jnp.moveaxis(array, (-2, -1), (0, 1))

    def samples(self, x: Array) -> Array:
        return jnp.moveaxis(x, 1, -1)[..., None, :]

    def broadcast_rates(self, values: Array, rank: int) -> Array:
        return values[:, None]

    def linear(self, layer: Any, params: Mapping[str, Array], x: Array) -> Array:
        weight = params["weight"]
        # A sum of products, which the compiler fuses with what comes before and after.
        y = jnp.sum(x[:, :, None] * weight, axis=1)
        return y + params["bias"] if layer.bias else y

    def transform(self, layer: Any, x: Array) -> Array:
        return layer.apply({}, x) if isinstance(layer, Scale) else x.reshape(x.shape[0], -1, *x.shape[-2:])

    def mask(self, layer: Dropout, keys: Array, x: Array) -> Array:
        drawn = jax.vmap(lambda key: layer.mask(key, x.shape[:-2], x.dtype), out_axes=-1)(keys)
        return drawn[..., None, :]


class MembersFirst(Layout):
    """Members first: parameters (variants, seeds, in, out), activations (variants, seeds, batch, units...)."""

    name = "stacked"
    seed_axis, variant_axis, sample_axis, unit_axis = 1, 0, 2, -1

    def broadcast_seeds(self, per_seed: Array, variants: int) -> Array:
        return jnp.broadcast_to(per_seed, (variants, *per_seed.shape))

    def members_first(self, array: Array) -> Array:
        return array

    def samples(self, x: Array) -> Array:
        return jnp.moveaxis(x, 1, 0)[None]

    def broadcast_rates(self, values: Array, rank: int) -> Array:
        return values.reshape(-1, *[1] * (rank - 1))

    def linear(self, layer: Any, params: Mapping[str, Array], x: Array) -> Array:
        weight, shape = params["weight"], x.shape
        accelerated = jax.default_backend() != "cpu"
        if isinstance(layer, Conv) and (accelerated or layer.stride == 1):
            y = grouped(x, weight, layer.padding, layer.stride) if accelerated else convolve(x, weight, layer.padding)
            return y + params["bias"][:, :, None, None, None] if layer.bias else y
        if isinstance(layer, Conv):
            x = self._by_sample(layer.patches, x)
            shape = x.shape
            x = x.reshape(*shape[:2], -1, shape[-1])
            weight = weight.reshape(*weight.shape[:2], -1, weight.shape[-1])
        # Left to matmul, an input shared by all variants makes one large product whose result must be transposed back;
        # spelt out, it took half the time.
        y = jnp.matmul(jnp.broadcast_to(x, (*weight.shape[:2], *x.shape[2:])), weight)
        if layer.bias:
            y = y + params["bias"][:, :, None]
        return y.reshape(*y.shape[:2], *shape[2:-1], y.shape[-1])

    def transform(self, layer: Any, x: Array) -> Array:
        return self._by_sample(lambda samples: layer.apply({}, samples), x)

    def _by_sample(self, function: Callable[[Array], Array], x: Array) -> Array:
        y = function(x.reshape(-1, *x.shape[3:]))
        return y.reshape(*x.shape[:3], *y.shape[1:])

    def mask(self, layer: Dropout, keys: Array, x: Array) -> Array:
        return jax.vmap(lambda key: layer.mask(key, x.shape[2:], x.dtype))(keys)[None]

    def parameter(self, value: Array, x: Array) -> Array:
        return value.reshape(*value.shape[:2], *[1] * (x.ndim - 3), value.shape[-1])


class SamplesLast(MembersFirst):
    """Samples last: parameters as in `MembersFirst`, activations (variants, seeds, units..., batch).

    For observing the networks that train in lanes: thousands of samples fill the vector lanes whatever the number of
    members, and each unit's values lie in one piece. Up to 5.5 times as fast as stacked (benchmarks/layouts.py).
    """

    name = "planes"
    sample_axis, unit_axis = -1, -2

    def samples(self, x: Array) -> Array:
        return jnp.moveaxis(x, 0, -1)[None]

    def linear(self, layer: Any, params: Mapping[str, Array], x: Array) -> Array:
        weight = params["weight"]
        # Spelt out, one product for each input: as one reduction, every unit would compute the function before it anew.
        products = (x[:, :, i, None] * weight[:, :, i, :, None] for i in range(weight.shape[2]))
        y = functools.reduce(jnp.add, products)
        return y + params["bias"][..., None] if layer.bias else y

    def transform(self, layer: Any, x: Array) -> Array:
        return layer.apply({}, x) if isinstance(layer, Scale) else x.reshape(*x.shape[:2], -1, x.shape[-1])

    def mask(self, layer: Dropout, keys: Array, x: Array) -> Array:
        shape = (x.shape[-1], *x.shape[2:-1])
        drawn = jax.vmap(lambda key: layer.mask(key, shape, x.dtype))(keys)
        return jnp.moveaxis(drawn, 1, -1)[None]

    def parameter(self, value: Array, x: Array) -> Array:
        return value.reshape(*value.shape[:2], *[1] * (x.ndim - 4), value.shape[-1], 1)


def choose(network: Network | TracedNetwork) -> Layout:
    """MembersLast for fully connected networks whose layers have few inputs (MEMBERS_LAST_INPUTS), stacked for all
    others.

    >>> from actlab.network import build
    >>> choose(build([Dense(2), Act(), Dense(1)], (2,))).name, choose(build([Dense(10)], (784,))).name
    ('lanes', 'stacked')
    """
    if isinstance(network, TracedNetwork):
        return MembersFirst()
    known = (Act, BatchNorm, Dense, Dropout, Flatten, Fork, Join, Scale)
    few = all(
        isinstance(built.layer, known)
        and (
            built.weighted_layer is None
            or (isinstance(built.weighted_layer, Dense) and _inputs(built) <= MEMBERS_LAST_INPUTS)
        )
        for built in network.layers
    )
    return MembersLast() if few else MembersFirst()


def choose_for_observing(network: Network | TracedNetwork) -> Layout:
    """SamplesLast for the networks that train in lanes, stacked for all others; in both, parameters are members first.

    >>> from actlab.network import build
    >>> choose_for_observing(build([Dense(2), Act(), Dense(1)], (2,))).name
    'planes'
    """
    return SamplesLast() if isinstance(choose(network), MembersLast) else MembersFirst()


def _inputs(built: BuiltLayer) -> int:
    return math.prod(built.parameter_shapes["weight"][:-1])


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
    population: Population, layout: Layout, params: Tree, x: Array, *, taps: Mapping[str, Array] | None = None
) -> tuple[Array, dict[str, tuple[Array, Array]]]:
    """Run all members through the network as trained: what `Network.apply` does for one.

    Args:
        population: whose network it is.
        layout: how `params` and `x` lie in memory.
        params: `{layer: {parameter: array}}`, for an `Act` `{layer: {function: {parameter: array}}}`, the latter with
            the variants of that function alone.
        x: activations in the layout; axes of length 1 stand for "the same for all".
        taps: by name of an `Act`, zeros added to its output: the gradient with respect to them is the gradient
            with respect to the activations.

    Returns:
        logits in the layout, outputs on its unit axis; and by name of each `Act` its pre-activations and
        activations. Before the first layer with weights these may have a variant or seed axis of length 1.
    """
    if isinstance(population.network, TracedNetwork):
        return custom.forward(population, params, x, taps=taps)
    logits, seen, _ = _run(population, layout, params, x, None, taps)
    return logits, seen


def forward_training(
    population: Population, layout: Layout, params: Tree, x: Array, batch: Batch
) -> tuple[Array, dict[str, dict[str, Array]]]:
    """Run all members through the network as one trains it: what `Network.apply` does with `training=True`.

    Args:
        population, layout, params, x: as for `forward`.
        batch: what is drawn, and which samples count.

    Returns:
        logits; and by name of each batch normalisation the running statistics as they are after this batch.
    """
    if isinstance(population.network, TracedNetwork):
        return custom.forward(population, params, x, keys=batch.keys)[0], {}
    logits, _, statistics = _run(population, layout, params, x, batch, None)
    return logits, statistics


def _run(
    population: Population,
    layout: Layout,
    params: Tree,
    x: Array,
    batch: Batch | None,
    taps: Mapping[str, Array] | None,
) -> tuple[Array, dict[str, tuple[Array, Array]], dict[str, dict[str, Array]]]:
    seen: dict[str, tuple[Array, Array]] = {}
    statistics: dict[str, dict[str, Array]] = {}
    kept: list[Array] = []
    keys = None if batch is None else batch.keys
    x = _owned(population, layout, params, x)
    for number, built in enumerate(population.network.layers):
        layer, own = built.layer, params.get(built.name, {})
        if isinstance(layer, Act):
            before = x
            x = _activate(population, layout, own, built, x, None if keys is None else _at_layer(keys, number))
            if taps is not None:
                x = x + taps[built.name]
            seen[built.name] = (before, x)
        elif isinstance(layer, Dropout):
            x = x if keys is None else x * layout.mask(layer, _at_layer(keys, number), x)
        elif isinstance(layer, BatchNorm):
            if batch is None:
                x = layer.apply({name: layout.parameter(value, x) for name, value in own.items()}, x)
            else:
                x, statistics[built.name] = layout.normalise(layer, own, x, batch.weights)
        elif isinstance(layer, Fork):
            kept.append(x)
        elif isinstance(layer, Join):
            shortcut = kept.pop()
            x = x + (layout.linear(layer.projection, own, shortcut) if layer.projection else shortcut)
        elif built.weighted_layer:
            x = layout.linear(layer, own, x)
        else:
            x = layout.transform(layer, x)
    return x, seen, statistics


def _owned(population: Population, layout: Layout, params: Tree, x: Array) -> Array:
    """The data, one copy for every member where a function stands straight on them: each has its own from there on."""
    first = next(built.layer for built in population.network.layers if isinstance(built.layer, (Act, *WEIGHTED)))
    if not isinstance(first, Act):
        return x
    shape = list(x.shape)
    shape[layout.variant_axis] = len(population.variants)
    shape[layout.seed_axis] = params[population.network.weight_layers[0]]["weight"].shape[layout.seed_axis]
    return jnp.broadcast_to(x, shape)


def _at_layer(keys: Array, number: int) -> Array:
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)


def _activate(population: Population, layout: Layout, params: Tree, built: Any, x: Array, keys: Array | None) -> Array:
    groups = population.groups_at(built)
    parts = []
    for group in groups:
        part = layout.variants(x, group.start, group.stop) if len(groups) > 1 else x
        if keys is not None and group.function.noise:
            own = params.get(group.function.name, {})
            parts.append(_activate_with_noise(layout, group.function, part, own, keys))
        else:
            parts.append(group.function(part, **function_arguments(layout, group.function, params, part)))
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=layout.variant_axis)


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

    >>> from actlab.functions import catalogue
    >>> function_arguments(MembersFirst(), catalogue["softmax"], {}, jnp.zeros((1, 1, 4, 3)))
    {'axis': -1}
    """
    own = params.get(function.name, {})
    arguments: dict[str, Any] = {name: layout.parameter(value, x) for name, value in own.items()}
    return arguments | ({"axis": layout.unit_axis} if function.kind == "grouping" else {})
