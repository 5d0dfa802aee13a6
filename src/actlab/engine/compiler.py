"""What all programs of a population have in common: who computes, in which layouts, on which devices.

Seeds are shared out over the devices; nothing passes between them, so each runs its part undisturbed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from actlab.engine import kept, training
from actlab.engine.devices import SEED, mesh
from actlab.engine.forward import PopulationModel
from actlab.engine.layouts import LAYOUTS, Layout
from actlab.plan.evaluation import keeps_outputs
from actlab.plan.layout import Layouts, choose
from actlab.plan.population import Population, keeps_weights
from actlab.study import Study

Tree = Any

EVERYWHERE = PartitionSpec()


@dataclass(frozen=True, eq=False)
class Compiler:
    """Compiles what a population computes, or finds it as it was compiled by an earlier run.

    Attributes:
        study: complete.
        model: who is trained, and how the parameters lie in memory meanwhile.
        observed: the same, as they lie while they are observed.
        devices: that share the seeds of a slice.
        slices: seeds on the seed axis, slice by slice, those that only fill up devices and slices at the end.
        tested: where the test samples lie among those of the evaluation.
    """

    study: Study
    model: PopulationModel
    observed: PopulationModel
    devices: Mesh
    slices: tuple[tuple[int, ...], ...]
    tested: slice

    @property
    def population(self) -> Population:
        """Who computes."""
        return self.model.population

    @property
    def keeps_weights(self) -> bool:
        """Whether every epoch's weights are among the results."""
        return keeps_weights(self.population)

    @property
    def keeps_outputs(self) -> bool:
        """Whether the outputs for the test samples are among the results."""
        samples = self.tested.stop - self.tested.start
        return keeps_outputs(self.study, self.population.network.output_shape[-1], samples)

    @property
    def optimiser(self) -> str:
        """The optimiser's name."""
        return training.optimiser_settings(self.study.optimiser)[0]

    def settings(self) -> Tree:
        """The numbers that stay as they are all through the run: learning rates, those of the optimiser."""
        precision = jnp.result_type(float)  # That of the parameters: samples may be whole numbers.
        _, numbers = training.optimiser_settings(self.study.optimiser)
        return {
            "rates": np.array([variant.learning_rate for variant in self.population.variants], precision),
            "optimiser": {key: np.asarray(value, precision) for key, value in numbers.items()},
        }

    def on(self, specs: Tree) -> Tree:
        """Where arrays lie that are split so over the devices."""
        return jax.tree.map(lambda spec: NamedSharding(self.devices, spec), specs)

    def placed(self, arrays: Tree, spec: PartitionSpec = EVERYWHERE) -> Tree:
        """Arrays on the devices: on each of them, or split along the seeds."""
        return jax.device_put(arrays, self.on(spec))

    @cached_property
    def keys(self) -> tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]:
        """Of every slice the random keys of its seeds: what draws initial weights, and what is random in training."""
        start, drawn = zip(*(_drawn(own, self.devices) for own in self.slices), strict=True)
        return start, drawn

    @cached_property
    def state(self) -> tuple[Tree, Tree]:
        """The shapes of a slice's state, and where it lies."""
        shapes = jax.eval_shape(self._initialise, self.keys[0][0])
        specs = _split_by_seed(self.model.layout, shapes)
        shapes = jax.tree.map(lambda leaf, own: leaf.update(sharding=own), shapes, self.on(specs))
        return shapes, specs

    @cached_property
    def start(self) -> Callable[[jax.Array], Tree]:
        """The program that makes the state of a slice from its keys."""
        keys = self.keys[0][0]

        def build() -> kept.Compiled:
            return jax.jit(self._initialise, out_shardings=self.on(self.state[1])).lower(keys).compile()

        return self.found("start", keys.shape, build)

    def compiled(
        self,
        name: str,
        step: Callable[..., Any],
        arguments: Sequence[Tree],
        given: Sequence[Tree],
        returned: Tree,
        *,
        donates: bool = True,
    ) -> kept.Compiled:
        """A program whose first argument is the state, which it may overwrite.

        Args:
            name: of the program, among those of the population.
            step: state and arguments → what `returned` says.
            arguments: besides the state, arrays or their shapes, with where they lie.
            given, returned: how they, and what comes back, are split over the devices; "state" stands for the state.
            donates: whether the state's memory is used again.
        """

        def build() -> kept.Compiled:
            shapes, specs = self.state
            out = jax.tree.map(lambda spec: specs if spec == "state" else spec, returned, is_leaf=_is_spec)
            mapped = jax.shard_map(step, mesh=self.devices, in_specs=(specs, *given), out_specs=out, check_vma=False)
            with jax.default_matmul_precision("highest"):
                lowered = jax.jit(mapped, donate_argnums=0 if donates else ()).lower(shapes, *arguments)
            own = self.model.layout.compiler_options if jax.default_backend() == "cpu" else {}
            return lowered.compile(compiler_options=dict(own))

        return self.found(name, _described(arguments), build)

    def found(self, name: str, made_from: Any, build: Callable[[], kept.Compiled]) -> kept.Compiled:
        """A program as it was kept, or built and kept."""
        layouts = self.model.layout.name, self.observed.layout.name
        seeds = len(self.slices[0])
        settings = *layouts, self.devices.size, seeds, self.keeps_weights, self.tested, self.keeps_outputs
        key = kept.key_of(self.study, self.population, made_from, *settings)
        return kept.program(key and f"{key}-{name}", list(self.devices.devices.flat), build)

    def _initialise(self, keys: jax.Array) -> Tree:
        params = training.initial_parameters(self.model, keys)
        name, numbers = training.optimiser_settings(self.study.optimiser)
        return {
            "params": params,
            "optimiser": training.transformation({"name": name, **numbers}).init(params),
            "steps": jnp.zeros((), jnp.int32),
        }


def compiler_of(
    study: Study, population: Population, tested: slice, layouts: Layouts | None, share: int | None
) -> Compiler:
    """The compiler of a population; arguments as of `program.build`."""
    trained, observed = (LAYOUTS[name] for name in layouts or choose(population.network))
    devices, slices = _shared_out(population.seeds, share or len(population.seeds))
    model, other = PopulationModel(population, trained), PopulationModel(population, observed)
    return Compiler(study, model, other, devices, slices, tested)


def members_first(model: PopulationModel, state: Tree) -> Tree:
    """The state as (variants, seeds, ...), which every layout can be observed in."""
    return jax.tree.map(lambda leaf: model.layout.members_first(leaf) if leaf.ndim else leaf, state)


def _is_spec(leaf: Any) -> bool:
    return isinstance(leaf, PartitionSpec | str)


def _described(arguments: Sequence[Tree]) -> Any:
    """Shapes and types, of which `repr` says everything."""
    return jax.tree.map(lambda leaf: (leaf.shape, str(leaf.dtype)), list(arguments))


def _shared_out(seeds: tuple[int, ...], share: int) -> tuple[Mesh, tuple[tuple[int, ...], ...]]:
    """The devices, and the seeds in slices of `share` or a few more, filled up with the first one."""
    share = min(share, len(seeds))
    devices = mesh(share)
    share += -share % devices.size
    filled = seeds + seeds[:1] * (-len(seeds) % share)
    return devices, tuple(filled[i : i + share] for i in range(0, len(filled), share))


def _drawn(seeds: tuple[int, ...], devices: Mesh) -> tuple[jax.Array, jax.Array]:
    """What `_keys` gives, split along the seeds."""
    by_seed = NamedSharding(devices, PartitionSpec(SEED))
    placed = jax.device_put(np.array(seeds, np.uint32), by_seed)
    made_from = "keys", inspect.getsource(_keys), len(seeds), devices.size
    own = list(devices.devices.flat)
    call = kept.program(
        kept.key(*made_from), own, lambda: jax.jit(_keys, out_shardings=by_seed).lower(placed).compile()
    )
    return call(placed)


def _keys(seeds: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The random keys of some seeds (seeds,): what draws initial weights, and everything random while training."""
    roots = jax.vmap(jax.random.key)(seeds)
    initial, drawn = (jax.vmap(lambda key, use=use: jax.random.fold_in(key, use))(roots) for use in (0, 1))
    return initial, drawn


def _split_by_seed(layout: Layout, shapes: Tree) -> Tree:
    """Arrays of members are split along their seed axis, counters are the same everywhere."""

    def spec(leaf: Any) -> PartitionSpec:
        if leaf.ndim == 0:
            return EVERYWHERE
        axes: list[str | None] = [None] * leaf.ndim
        axes[layout.seed_axis % leaf.ndim] = SEED
        return PartitionSpec(*axes)

    return jax.tree.map(spec, shapes)
