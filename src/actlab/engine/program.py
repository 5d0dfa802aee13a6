"""A population and its data compiled into one call that trains and observes a chunk of epochs.

Seeds are shared out over the devices; nothing passes between them, so each runs its part undisturbed.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from actlab.engine import measures, training
from actlab.engine.devices import SEED, mesh
from actlab.engine.layouts import Layout, choose, choose_for_observing
from actlab.layers import Conv
from actlab.network import BuiltLayer
from actlab.plan.population import Population
from actlab.study import Study
from actlab.tasks import Task

Tree = Any

SKIP, OBSERVE, TRAIN = 0, 1, 2
# How the shuffled indices (epochs, steps, batch, seeds) are shared out.
ORDER = PartitionSpec(None, None, None, SEED)
# Train metrics are taken on at most this many training samples, the same at every epoch: the whole of MNIST would cost
# a third of its training.
EVALUATION_SAMPLES = 5_000
# Networks up to this size leave their weights at every epoch.
SMALL = 10_000
# Evaluation runs in slices of which the widest layer takes at most this many numbers.
SLICE_NUMBERS = 2**25
# A chunk is about this much arithmetic: half a second or less, so that progress shows.
CHUNK_OPERATIONS = 4e9
# A step takes no less time than so much arithmetic, however little it has to do.
STEP_OPERATIONS = 1.5e5


@dataclass(frozen=True)
class Data:
    """The task as the program takes it, and what is needed to read its results.

    Attributes:
        training: x_train, y_train.
        evaluation: sliced samples of all three parts with their membership (see `probes.evaluate`).
        probe: x, y of the probe batch.
        counts: samples in each set of the evaluation: train, validation, test, then training samples by class.
    """

    training: dict[str, np.ndarray]
    evaluation: dict[str, np.ndarray]
    probe: dict[str, np.ndarray]
    counts: np.ndarray


def prepare_data(study: Study, task: Task, population: Population) -> Data:
    """Choose evaluation and probe samples (by the task's seed) and slice the evaluation to fit memory.

    The first EVALUATION_SAMPLES and the first `study.probe_samples` of one random order of the training samples,
    all of the validation and test samples. Padding of the last slice belongs to no set.
    """
    chosen = np.random.default_rng([study.task_seed, 1]).permutation(len(task.x_train))
    seen = np.sort(chosen[:EVALUATION_SAMPLES])
    probed = chosen[: study.probe_samples]
    parts = [(task.x_train[seen], task.y_train[seen], (0,))]
    if task.x_validation is task.x_test:
        # Where the test data serve as validation data, too, they are looked at once.
        parts += [(task.x_test, task.y_test, (1, 2))]
    else:
        parts += [(task.x_validation, task.y_validation, (1,)), (task.x_test, task.y_test, (2,))]
    x, y = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    sets = np.concatenate([np.tile(np.isin(np.arange(3), own), (len(part), 1)) for part, _, own in parts])
    by_class = (y[:, None] == np.arange(task.class_count)) & sets[:, :1]
    membership = np.concatenate([sets, by_class], axis=1).astype(np.float32)
    widest = max(_numbers_per_sample(built) for built in population.network.layers)
    members = len(population.variants) * len(population.seeds)
    slices = min(len(x), -(-len(x) * widest * members // SLICE_NUMBERS))
    padding = -len(x) % slices
    evaluation = {"x": x, "y": y, "membership": membership}
    return Data(
        training={"x_train": task.x_train, "y_train": task.y_train},
        evaluation={name: _slices(array, slices, padding) for name, array in evaluation.items()},
        probe={"x": task.x_train[probed], "y": task.y_train[probed]},
        counts=membership.sum(axis=0, dtype=np.float64),
    )


def _numbers_per_sample(built: BuiltLayer) -> int:
    """Numbers that one sample takes in a layer: inputs, outputs, or patches, which only a CPU makes, for a stride."""
    weight = built.parameter_shapes.get("weight", (1, 1))
    patches = isinstance(built.layer, Conv) and built.layer.stride > 1 and jax.default_backend() == "cpu"
    product = math.prod(built.output_shape[:-1]) * math.prod(weight[:-1]) if patches else 0
    return max(math.prod(built.input_shape), math.prod(built.output_shape), product)


def _slices(array: np.ndarray, slices: int, padding: int) -> np.ndarray:
    padded = np.concatenate([array, np.zeros((padding, *array.shape[1:]), array.dtype)])
    return padded.reshape(slices, -1, *array.shape[1:])


def orders(study: Study, samples: int, seeds: tuple[int, ...], epochs: range) -> np.ndarray:
    """Which samples each seed sees when: int32 (epochs, steps, batch, seeds), −1 pads an epoch's last batch.

    Epoch e of a seed is shuffled by the counter-based generator with the key (seed, e): the same whatever the other
    members are, and whatever epochs came before.

    Args:
        study: for its batch.
        samples: number of training samples.
        seeds: any, in [0, 2³²).
        epochs: which.

    Source: Philox-4×64, Salmon et al. 2011 (doi:10.1145/2063384.2063405).

    >>> orders(Study(batch=2), samples=3, seeds=(0, 1), epochs=range(1, 2))[0, 1].tolist()
    [[2, 1], [-1, -1]]
    """
    steps = -(-samples // study.batch)
    # In the layout of the devices from the start, while these are busy.
    found = np.full((len(epochs), steps * study.batch, len(seeds)), -1, np.int32)
    by_seed = np.empty((len(seeds), samples), np.int32)
    philox = np.random.Philox(key=0)
    generator, fresh = np.random.Generator(philox), philox.state
    for i, epoch in enumerate(epochs):
        for j, seed in enumerate(seeds):
            # Another key for one generator: to make one took a third of the time of shuffling 2,000 samples.
            fresh["state"]["key"][:] = seed, epoch
            philox.state = fresh
            by_seed[j] = generator.permutation(samples)
        # All seeds at once: number by number, seed after seed, these writes took a sixth of the time.
        found[i, :samples] = by_seed.T
    return found.reshape(len(epochs), steps, study.batch, len(seeds))


def chunk_length(study: Study, population: Population, samples: int) -> int:
    """Epochs in one call: about CHUNK_OPERATIONS of arithmetic, and at least ten chunks in a run.

    From 1 to ⌈(epochs + 1)/10⌉, the untrained network counted as an epoch; a step takes 6 operations for each
    parameter and sample, and STEP_OPERATIONS at least.

    >>> from actlab import Act, Dense
    >>> from actlab.plan.population import populations
    >>> study = Study(network=[Dense(2), Act(), Dense(1)], seeds=4, epochs=99, learning_rates=[0.1])
    >>> (population,) = populations(study, (2,))
    >>> chunk_length(study, population, samples=1000), chunk_length(study, population, samples=1_000_000)
    (10, 1)
    """
    members = len(population.variants) * len(population.seeds)
    step = max(6 * population.network.parameter_count * members * study.batch, STEP_OPERATIONS)
    operations = step * -(-samples // study.batch)
    return max(1, min(round(CHUNK_OPERATIONS / operations), -(-(study.epochs + 1) // 10)))


@dataclass
class Program:
    """A compiled population with its state; `advance` runs one chunk of epochs.

    A population that would take more memory than it may runs in slices of its seeds, one after the other, with the
    same compiled call. What a member computes depends on the width of its slice by rounding alone: each width is other
    machine code, which may add up in another order.

    Attributes:
        population: who is trained.
        layout: of the parameters while training.
        mesh: the devices that share the seeds of a slice.
        slices: seeds on the seed axis, slice by slice, those that only fill up devices and slices at the end.
        keeps_weights: whether every epoch's weights are among the results.
        call: the compiled chunk: state, kinds, order, fixed → state, results.
        fixed: what stays as it is all through the run.
    """

    population: Population
    layout: Layout
    mesh: Mesh
    slices: tuple[tuple[int, ...], ...]
    keeps_weights: bool
    call: jax.stages.Compiled
    fixed: Tree
    _start: Any
    _start_keys: list[jax.Array]
    _keys: list[jax.Array]

    @cached_property
    def _states(self) -> list[Tree]:
        """The state of every slice, as initialised until it is advanced."""
        return [self._start(own) for own in self._start_keys]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of all slices."""
        return tuple(seed for own in self.slices for seed in own)

    def advance(self, kinds: np.ndarray, order: np.ndarray) -> Tree:
        """Run a chunk: kinds (epochs,) of SKIP, OBSERVE or TRAIN, order as `orders` gives it.

        Returns:
            results, (epochs, variants, seeds, ...), seeds that only fill up among them: what `probes.probe` and
            `probes.evaluate` return and, with `keeps_weights`, "weights", members first. Zeros for skipped
            epochs. JAX arrays that may still be computed; NumPy arrays if there are several slices.
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
        return jax.tree.map(lambda array: np.asarray(array[:, :1]), self._members_first(self._states[0]))

    def _members_first(self, state: Tree) -> Tree:
        return jax.tree.map(self.layout.members_first, state["params"])


def build(
    study: Study,
    task: Task,
    population: Population,
    chunk: int,
    layout: Layout | None = None,
    share: int | None = None,
) -> Program:
    """Compile a population, initialise its members and put everything on the devices.

    Args:
        study: complete.
        task: the data.
        population: one of the study's.
        chunk: epochs in one call.
        layout: while training; chosen by the network's size where None.
        share: seeds in a slice; all where None.
    """
    layout = layout or choose(population.network)
    share = min(share or len(population.seeds), len(population.seeds))
    devices = mesh(share)
    share += -share % devices.size
    seeds = population.seeds + population.seeds[:1] * (-len(population.seeds) % share)
    slices = tuple(seeds[i : i + share] for i in range(0, len(seeds), share))
    keeps_weights = max(network.parameter_count for network in population.networks.values()) <= SMALL
    data = prepare_data(study, task, population)
    name, numbers = training.optimiser_settings(study.optimiser)
    fixed = {
        "rates": np.array([variant.learning_rate for variant in population.variants], task.x_train.dtype),
        "optimiser": {key: np.asarray(value, task.x_train.dtype) for key, value in numbers.items()},
        "training": data.training,
        "evaluation": data.evaluation,
        "probe": data.probe,
    }
    fixed = jax.device_put(fixed, NamedSharding(devices, PartitionSpec()))
    fixed_spec: Tree = {**jax.tree.map(lambda _: PartitionSpec(), fixed), "keys": PartitionSpec(SEED)}
    by_seed = NamedSharding(devices, PartitionSpec(SEED))
    start_keys, keys = (jax.device_put([_keys(own, use) for own in slices], by_seed) for use in (0, 1))
    initialise = functools.partial(_initial_state, population, layout, {"name": name, **numbers})
    state = jax.eval_shape(initialise, start_keys[0])
    state_spec = _placements(layout, state)
    # Compiled here, as the chunk is, and not within what is timed as training.
    start = jax.jit(initialise, out_shardings=_on(devices, state_spec)).lower(start_keys[0]).compile()
    state = jax.tree.map(lambda leaf, own: leaf.update(sharding=own), state, _on(devices, state_spec))
    mapped = jax.shard_map(
        functools.partial(_chunk, population, layout, name, keeps_weights),
        mesh=devices,
        in_specs=(state_spec, PartitionSpec(), ORDER, fixed_spec),
        out_specs=(state_spec, PartitionSpec(None, None, SEED)),
        check_vma=False,
    )
    kinds = jax.ShapeDtypeStruct((chunk,), np.int32)
    shape = (chunk, -(-len(task.x_train) // study.batch), study.batch, share)
    order = jax.ShapeDtypeStruct(shape, np.int32, sharding=NamedSharding(devices, ORDER))
    with jax.default_matmul_precision("highest"):
        lowered = jax.jit(mapped, donate_argnums=0).lower(state, kinds, order, fixed | {"keys": keys[0]})
    options: Any = dict(layout.compiler_options) if jax.default_backend() == "cpu" else {}
    call = lowered.compile(compiler_options=options)
    return Program(population, layout, devices, slices, keeps_weights, call, fixed, start, start_keys, keys)


def _keys(seeds: tuple[int, ...], use: int) -> jax.Array:
    """The random keys of some seeds: use 0 draws initial weights, 1 everything random while training."""
    roots = jax.vmap(jax.random.key)(jnp.asarray(seeds, jnp.uint32))
    return jax.vmap(lambda key: jax.random.fold_in(key, use))(roots)


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


def _initial_state(population: Population, layout: Layout, optimiser: dict[str, Any], keys: jax.Array) -> Tree:
    params = training.initial_parameters(population, layout, keys)
    return {
        "params": params,
        "optimiser": training.transformation(optimiser).init(params),
        "steps": jnp.zeros((), jnp.int32),
    }


def _chunk(
    population: Population,
    layout: Layout,
    optimiser_name: str,
    keeps_weights: bool,
    state: Tree,
    kinds: jax.Array,
    order: jax.Array,
    fixed: Tree,
) -> tuple[Tree, Tree]:
    optimiser = {"name": optimiser_name, **fixed["optimiser"]}
    data = {**fixed["training"], "keys": fixed["keys"]}
    rates = fixed["rates"]
    observed = choose_for_observing(population.network)

    def train(state: Tree, batches: jax.Array) -> Tree:
        def one_step(state: Tree, batch: jax.Array) -> tuple[Tree, None]:
            return training.step(population, layout, optimiser, rates, data, state, batch), None

        return jax.lax.scan(one_step, state, batches)[0]

    def observe(state: Tree) -> Tree:
        state = jax.tree.map(lambda leaf: layout.members_first(leaf) if leaf.ndim else leaf, state)
        found = measures.probe(population, observed, optimiser, rates, fixed["probe"], state)
        found |= measures.evaluate(population, observed, state["params"], fixed["evaluation"])
        return found | ({"weights": state["params"]} if keeps_weights else {})

    def epoch(state: Tree, inputs: tuple[jax.Array, jax.Array]) -> tuple[Tree, Tree]:
        kind, batches = inputs
        state = jax.lax.cond(kind == TRAIN, train, lambda state, _: state, state, batches)
        nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(observe, state))
        return state, jax.lax.cond(kind == SKIP, lambda _: nothing, observe, state)

    return jax.lax.scan(epoch, state, (kinds, order))
