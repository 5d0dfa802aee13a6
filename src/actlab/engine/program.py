"""A population and its data compiled into one call that trains and observes a chunk of epochs.

Seeds are shared out over the devices; nothing passes between them, so each runs its part undisturbed.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from actlab.engine import kept, measures, training
from actlab.engine.devices import SEED, mesh
from actlab.engine.forward import PopulationModel
from actlab.engine.layouts import LAYOUTS, Layout
from actlab.plan.collector import Observed
from actlab.plan.evaluation import Data, keeps_outputs, sliced
from actlab.plan.layout import Layouts, choose
from actlab.plan.population import Population
from actlab.study import Study

Tree = Any

SKIP, OBSERVE, TRAIN = 0, 1, 2
# How the shuffled indices (epochs, steps, batch, seeds) are shared out.
ORDER = PartitionSpec(None, None, None, SEED)
# Of the test samples one by one, whether each is put into its class, and the outputs for it.
Items = tuple[jax.Array | None, jax.Array | None]
# Networks up to this size leave their weights at every epoch.
SMALL = 10_000


@dataclass
class Program:
    """A compiled population with its state; `advance` runs one chunk of epochs.

    A population that would take more memory than it may runs in slices of its seeds, one after the other, with the
    same compiled call. What a member computes depends on the width of its slice by rounding alone: each width is other
    machine code, which may add up in another order.

    Attributes:
        model: who is trained, and how the parameters lie in memory meanwhile.
        mesh: the devices that share the seeds of a slice.
        slices: seeds on the seed axis, slice by slice, those that only fill up devices and slices at the end.
        keeps_weights: whether every epoch's weights are among the results.
        call: the compiled chunk: state, kinds, order, fixed → state, results.
        fixed: what stays as it is all through the run.
    """

    model: PopulationModel
    mesh: Mesh
    slices: tuple[tuple[int, ...], ...]
    keeps_weights: bool
    call: jax.stages.Compiled
    fixed: Tree
    _start: Any
    _start_keys: list[jax.Array]
    _keys: list[jax.Array]

    @property
    def population(self) -> Population:
        """Who is trained."""
        return self.model.population

    @cached_property
    def _states(self) -> list[Tree]:
        """The state of every slice, as initialised until it is advanced."""
        return [self._start(own) for own in self._start_keys]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of all slices."""
        return tuple(seed for own in self.slices for seed in own)

    def advance(self, kinds: np.ndarray, order: np.ndarray) -> Observed:
        """Run a chunk: kinds (epochs,) of SKIP, OBSERVE or TRAIN, order as `orders` gives it.

        Returns:
            results, (epochs, variants, seeds, ...), seeds that only fill up among them; zeros for skipped epochs.
            `items` and `outputs` are of the last epoch that is not skipped.
            JAX arrays that may still be computed; NumPy arrays if there are several slices.
        """
        found = []
        for i, (own, keys) in enumerate(zip(np.split(order, len(self.slices), axis=-1), self._keys, strict=True)):
            placed = jax.device_put(np.ascontiguousarray(own), NamedSharding(self.mesh, ORDER))
            self._states[i], results = self.call(self._states[i], kinds, placed, self.fixed | {"keys": keys})
            # One slice after the other is in memory, not all at once.
            found.append(results if len(self.slices) == 1 else jax.tree.map(np.asarray, results))
        return found[0] if len(found) == 1 else jax.tree.map(lambda *parts: np.concatenate(parts, axis=2), *found)

    def parameters(self) -> Tree:
        """The members' parameters as they are now, (variants, seeds, ...) NumPy arrays."""
        own = [self._members_first(state) for state in self._states]
        whole = jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *own)
        return jax.tree.map(lambda array: array[:, : len(self.population.seeds)], whole)

    def first_parameters(self) -> Tree:
        """Those of the first seed alone, (variants, 1, ...)."""
        # Cut on the host: a slice of a JAX array is a program of its own for every shape.
        own = self._members_first(self._states[0])
        return jax.tree.map(lambda array: np.asarray(array.addressable_shards[0].data)[:, :1], own)

    def _members_first(self, state: Tree) -> Tree:
        return jax.tree.map(self.model.layout.members_first, state["params"])


def build(
    study: Study,
    data: Data,
    population: Population,
    chunk: int,
    layouts: Layouts | None = None,
    share: int | None = None,
) -> Program:
    """Compile a population, initialise its members and put everything on the devices.

    Args:
        study: complete.
        data: of its task.
        population: one of the study's.
        chunk: epochs in one call.
        layouts: to train and to observe in; chosen by the network's size where None.
        share: seeds in a slice; all where None.
    """
    trained, observed = (LAYOUTS[name] for name in layouts or choose(population.network))
    model, observed = PopulationModel(population, trained), PopulationModel(population, observed)
    devices, slices = _shared_out(population.seeds, share or len(population.seeds))
    keeps_weights = max(network.parameter_count for network in population.networks.values()) <= SMALL
    name, numbers = training.optimiser_settings(study.optimiser)
    fixed = jax.device_put(_fixed(data, population, numbers), NamedSharding(devices, PartitionSpec()))
    shape = (chunk, -(-len(data.training["x_train"]) // study.batch), study.batch, len(slices[0]))
    order = jax.ShapeDtypeStruct(shape, np.int32, sharding=NamedSharding(devices, ORDER))
    start_keys, keys = zip(*(_drawn(own, devices) for own in slices), strict=True)
    initialise = functools.partial(_initial_state, model, {"name": name, **numbers})
    outputs = keeps_outputs(study, population.network.output_shape[-1], data.tested.stop - data.tested.start)
    step = functools.partial(_chunk, model, observed, name, keeps_weights, data.tested, outputs)

    @functools.cache
    def placed() -> tuple[Tree, Tree]:
        """The shapes of the state, and where it lies."""
        state = jax.eval_shape(initialise, start_keys[0])
        return state, _placements(trained, state)

    def compiled_start() -> kept.Compiled:
        return jax.jit(initialise, out_shardings=_on(devices, placed()[1])).lower(start_keys[0]).compile()

    def compiled_chunk() -> kept.Compiled:
        return _compiled_chunk(step, devices, *placed(), order, fixed | {"keys": keys[0]}, trained)

    settings = trained.name, observed.layout.name, devices.size, keeps_weights, data.tested, outputs
    shapes = jax.tree.map(lambda leaf: (leaf.shape, str(leaf.dtype)), fixed), order
    key = kept.key_of(study, population, shapes, *settings)
    # Compiled here, as the chunk is, and not within what is timed as training.
    own = list(devices.devices.flat)
    start = kept.program(key and f"{key}-start", own, compiled_start)
    call = kept.program(key, own, compiled_chunk)
    return Program(model, devices, slices, keeps_weights, call, fixed, start, list(start_keys), list(keys))


def _shared_out(seeds: tuple[int, ...], share: int) -> tuple[Mesh, tuple[tuple[int, ...], ...]]:
    """The devices, and the seeds in slices of `share` or a few more, filled up with the first one."""
    share = min(share, len(seeds))
    devices = mesh(share)
    share += -share % devices.size
    filled = seeds + seeds[:1] * (-len(seeds) % share)
    return devices, tuple(filled[i : i + share] for i in range(0, len(filled), share))


def _fixed(data: Data, population: Population, numbers: dict[str, Any]) -> Tree:
    """What stays as it is all through the run; `numbers` are those of the optimiser."""
    precision = jnp.result_type(float)  # That of the parameters: samples may be whole numbers.
    return {
        "rates": np.array([variant.learning_rate for variant in population.variants], precision),
        "optimiser": {key: np.asarray(value, precision) for key, value in numbers.items()},
        "training": data.training,
        "evaluation": sliced(data.evaluation, population, patches=jax.default_backend() == "cpu"),
        "probe": data.probe,
    }


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


def _compiled_chunk(
    step: Callable[..., Any],
    devices: Mesh,
    state: Tree,
    state_spec: Tree,
    order: jax.ShapeDtypeStruct,
    fixed: Tree,
    layout: Layout,
) -> kept.Compiled:
    """`_chunk`, its first arguments given, compiled for some shapes and devices."""
    state = jax.tree.map(lambda leaf, own: leaf.update(sharding=own), state, _on(devices, state_spec))
    fixed_spec: Tree = {**jax.tree.map(lambda _: PartitionSpec(), fixed), "keys": PartitionSpec(SEED)}
    mapped = jax.shard_map(
        step,
        mesh=devices,
        in_specs=(state_spec, PartitionSpec(), ORDER, fixed_spec),
        out_specs=(state_spec, PartitionSpec(None, None, SEED)),
        check_vma=False,
    )
    kinds = jax.ShapeDtypeStruct(order.shape[:1], np.int32)
    with jax.default_matmul_precision("highest"):
        lowered = jax.jit(mapped, donate_argnums=0).lower(state, kinds, order, fixed)
    options: Any = dict(layout.compiler_options) if jax.default_backend() == "cpu" else {}
    return lowered.compile(compiler_options=options)


def _keys(seeds: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The random keys of some seeds (seeds,): what draws initial weights, and everything random while training."""
    roots = jax.vmap(jax.random.key)(seeds)
    initial, drawn = (jax.vmap(lambda key, use=use: jax.random.fold_in(key, use))(roots) for use in (0, 1))
    return initial, drawn


def _on(devices: Mesh, specs: Tree) -> Tree:
    return jax.tree.map(lambda spec: NamedSharding(devices, spec), specs)


def _placements(layout: Layout, shapes: Tree) -> Tree:
    """Arrays of members are split along their seed axis, counters are the same everywhere."""

    def spec(leaf: Any) -> PartitionSpec:
        if leaf.ndim == 0:
            return PartitionSpec()
        axes: list[str | None] = [None] * leaf.ndim
        axes[layout.seed_axis % leaf.ndim] = SEED
        return PartitionSpec(*axes)

    return jax.tree.map(spec, shapes)


def _initial_state(model: PopulationModel, optimiser: dict[str, Any], keys: jax.Array) -> Tree:
    params = training.initial_parameters(model, keys)
    return {
        "params": params,
        "optimiser": training.transformation(optimiser).init(params),
        "steps": jnp.zeros((), jnp.int32),
    }


def _chunk(
    model: PopulationModel,
    observed: PopulationModel,
    optimiser_name: str,
    keeps_weights: bool,
    tested: slice,
    keeps_outputs: bool,
    state: Tree,
    kinds: jax.Array,
    order: jax.Array,
    fixed: Tree,
) -> tuple[Tree, Observed]:
    optimiser = {"name": optimiser_name, **fixed["optimiser"]}
    data = {**fixed["training"], "keys": fixed["keys"]}
    rates = fixed["rates"]

    def train(state: Tree, batches: jax.Array) -> Tree:
        def one_step(state: Tree, batch: jax.Array) -> tuple[Tree, None]:
            return training.step(model, optimiser, rates, data, state, batch), None

        return jax.lax.scan(one_step, state, batches)[0]

    # A jit of its own is traced once, for the shapes of its results and as a branch; what it needs is handed to it.
    @jax.jit
    def observe(state: Tree, fixed: Tree) -> tuple[Observed, Items]:
        optimiser = {"name": optimiser_name, **fixed["optimiser"]}
        state = jax.tree.map(lambda leaf: model.layout.members_first(leaf) if leaf.ndim else leaf, state)
        probes = measures.measure(observed, optimiser, fixed["rates"], fixed["probe"], state)
        found = measures.evaluate(observed, state["params"], fixed["evaluation"], tested, keeps_outputs)
        seen = Observed(found.sums, found.by_class, probes, state["params"] if keeps_weights else None)
        return seen, (found.right, found.outputs)

    nothing, unseen = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(observe, state, fixed)
    )

    def epoch(carry: tuple[Tree, Items], inputs: tuple[jax.Array, jax.Array]) -> tuple[Any, Observed]:
        (state, items), (kind, batches) = carry, inputs
        state = jax.lax.cond(kind == TRAIN, train, lambda state, _: state, state, batches)
        # Of the test samples one by one only the last epoch is kept: the others would take more than all else.
        found, items = jax.lax.cond(kind == SKIP, lambda *_: (nothing, items), observe, state, fixed)
        return (state, items), found

    (state, items), found = jax.lax.scan(epoch, (state, unseen), (kinds, order))
    right, outputs = jax.tree.map(lambda own: own[None], items)
    return state, found._replace(items=right, outputs=outputs)
