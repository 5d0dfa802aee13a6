"""How the arrays of a population lie in memory, and how the layers compute on them.

`MembersLast`, "lanes", for small networks: parameters `(in, out, variants, seeds)`, so that the compiler fills vector
lanes with members; a contraction over a few inputs is a sum of products. `MembersFirst`, "stacked", for larger ones:
parameters `(variants, seeds, in, out)`, so that every member's layer is a whole matrix product. `SamplesLast`,
"planes", for small networks on many samples, as they are observed.

| layout | parameters | activations |
|---|---|---|
| lanes | (in, out, variants, seeds) | (batch, units, variants, seeds) |
| stacked | (variants, seeds, in, out) | (variants, seeds, batch, units) |
| planes | (variants, seeds, in, out) | (variants, seeds, units, batch) |

A layout knows nothing of training; `actlab.engine.forward` runs a population through its network in any of them.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from actlab.engine.convolutions import convolve, grouped
from actlab.layers import BatchNorm, Conv, Dropout, Scale
from actlab.network import BuiltLayer

Array = jax.Array
Tree = Any


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
    def place_samples(self, x: Array) -> Array:
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
    def observed(self, built: BuiltLayer, variants: int, seeds: int, samples: int) -> tuple[int, ...]:
        """Shape of what leaves a layer, all members on the same samples."""

    @abstractmethod
    def mask(self, layer: Dropout, keys: Array, x: Array) -> Array:
        """Dropout's mask, drawn by seed and equal for all variants. `keys` (seeds,)."""

    def normalise(
        self, layer: BatchNorm, params: Mapping[str, Array], x: Array, weights: Array | None
    ) -> tuple[Array, dict[str, Array]]:
        """Batch normalisation while training: activations, and the running statistics as they are after it.

        `weights` (batch, seeds) are 1 for samples that count and 0 for padding; None where all count.
        """
        own = {name: self.place_parameter(value, x) for name, value in params.items()}
        members_and_units = {axis % x.ndim for axis in (self.variant_axis, self.seed_axis, self.unit_axis)}
        axes = tuple(axis for axis in range(x.ndim) if axis not in members_and_units)
        if weights is not None:
            weights = self.place_samples(weights.reshape(*weights.shape, *[1] * (x.ndim - 3)))
        y, moved = layer.train(own, x, axes, weights)
        return y, {name: value.reshape(params[name].shape) for name, value in moved.items()}

    def slice_variants(self, array: Array, start: int, stop: int) -> Array:
        """The slice of some variants."""
        return jax.lax.slice_in_dim(array, start, stop, axis=self.variant_axis % array.ndim)

    def place_parameter(self, value: Array, x: Array) -> Array:
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

    def place_samples(self, x: Array) -> Array:
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

    def observed(self, built: BuiltLayer, variants: int, seeds: int, samples: int) -> tuple[int, ...]:
        return (samples, *built.output_shape, variants, seeds)

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

    def place_samples(self, x: Array) -> Array:
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

    def observed(self, built: BuiltLayer, variants: int, seeds: int, samples: int) -> tuple[int, ...]:
        return (variants, seeds, samples, *built.output_shape)

    def mask(self, layer: Dropout, keys: Array, x: Array) -> Array:
        return jax.vmap(lambda key: layer.mask(key, x.shape[2:], x.dtype))(keys)[None]

    def place_parameter(self, value: Array, x: Array) -> Array:
        return value.reshape(*value.shape[:2], *[1] * (x.ndim - 3), value.shape[-1])


class SamplesLast(MembersFirst):
    """Samples last: parameters as in `MembersFirst`, activations (variants, seeds, units..., batch).

    For observing the networks that train in lanes: thousands of samples fill the vector lanes whatever the number of
    members, and each unit's values lie in one piece. Up to 5.5 times as fast as stacked (benchmarks/layouts.py).
    """

    name = "planes"
    sample_axis, unit_axis = -1, -2

    def place_samples(self, x: Array) -> Array:
        return jnp.moveaxis(x, 0, -1)[None]

    def linear(self, layer: Any, params: Mapping[str, Array], x: Array) -> Array:
        weight = params["weight"]
        # Spelt out, one product for each input: as one reduction, every unit would compute the function before it anew.
        products = (x[:, :, i, None] * weight[:, :, i, :, None] for i in range(weight.shape[2]))
        y = functools.reduce(jnp.add, products)
        return y + params["bias"][..., None] if layer.bias else y

    def transform(self, layer: Any, x: Array) -> Array:
        return layer.apply({}, x) if isinstance(layer, Scale) else x.reshape(*x.shape[:2], -1, x.shape[-1])

    def observed(self, built: BuiltLayer, variants: int, seeds: int, samples: int) -> tuple[int, ...]:
        return (variants, seeds, *built.output_shape, samples)

    def mask(self, layer: Dropout, keys: Array, x: Array) -> Array:
        shape = (x.shape[-1], *x.shape[2:-1])
        drawn = jax.vmap(lambda key: layer.mask(key, shape, x.dtype))(keys)
        return jnp.moveaxis(drawn, 1, -1)[None]

    def place_parameter(self, value: Array, x: Array) -> Array:
        return value.reshape(*value.shape[:2], *[1] * (x.ndim - 4), value.shape[-1], 1)


#: The layouts by name; `actlab.plan.layout` chooses among them.
LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {one.name: one for one in (MembersLast(), MembersFirst(), SamplesLast())}
)
