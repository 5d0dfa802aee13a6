"""A population and its data compiled into calls that train and observe a chunk of epochs."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from actlab.engine import kept, measures, training
from actlab.engine.compiler import EVERYWHERE, Compiler, compiler_of, members_first
from actlab.engine.devices import SEED
from actlab.engine.forward import PopulationModel
from actlab.plan.batches import SKIP, TRAIN
from actlab.plan.collector import Observed
from actlab.plan.evaluation import Data, sliced
from actlab.plan.layout import Layouts
from actlab.plan.population import Population
from actlab.study import Study

Tree = Any

# How the shuffled indices (epochs, steps, batch, seeds) are shared out.
ORDER = PartitionSpec(None, None, None, SEED)
# Results, (epochs, variants, seeds, ...).
BY_SEED = PartitionSpec(None, None, SEED)
# Of the test samples one by one, whether each is put into its class, and the outputs for it.
Items = tuple[jax.Array | None, jax.Array | None]


class Sizes(NamedTuple):
    """Bytes that the programs of a population take.

    Attributes:
        state: of the members of a slice, parameters among it.
        parameters: of the members of a slice.
        order: of a chunk's shuffled indices for a slice.
        results: of a chunk for a slice, on all devices.
        temporaries: of what a call computes on the way, on all devices: what grows with the seeds of a slice.
    """

    state: int
    parameters: int
    order: int
    results: int
    temporaries: int


class Runner(Protocol):
    """How a slice of a population goes through a chunk of epochs."""

    def run(self, state: Tree, kinds: np.ndarray, order: np.ndarray, keys: jax.Array) -> tuple[Tree, Observed]:
        """The state after the epochs, and what was observed; arguments as of `Program.advance`."""
        ...

    def sizes(self) -> Sizes:
        """What it takes."""
        ...


@dataclass
class Program:
    """A compiled population with its state; `advance` runs one chunk of epochs.

    A population that would take more memory than it may runs in slices of its seeds, one after the other, with the
    same compiled call. What a member computes depends on the width of its slice by rounding alone: each width is other
    machine code, which may add up in another order.

    Attributes:
        compiler: who computes, how and where.
        runner: what is compiled.
    """

    compiler: Compiler
    runner: Runner

    @property
    def model(self) -> PopulationModel:
        """Who is trained, and how the parameters lie in memory meanwhile."""
        return self.compiler.model

    @property
    def population(self) -> Population:
        """Who is trained."""
        return self.compiler.population

    @property
    def slices(self) -> tuple[tuple[int, ...], ...]:
        """Seeds on the seed axis, slice by slice, those that only fill up at the end."""
        return self.compiler.slices

    @property
    def keeps_weights(self) -> bool:
        """Whether every epoch's weights are among the results."""
        return self.compiler.keeps_weights

    @property
    def layout(self) -> str:
        """The name of the layout it is trained in."""
        return self.model.layout.name

    @property
    def precision(self) -> str:
        """The type of the parameters."""
        return str(self.compiler.settings()["rates"].dtype)

    @cached_property
    def _states(self) -> list[Tree]:
        """The state of every slice, as initialised until it is advanced."""
        return [self.compiler.start(own) for own in self.compiler.keys[0]]

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
        drawn = self.compiler.keys[1]
        for i, (own, keys) in enumerate(zip(np.split(order, len(self.slices), axis=-1), drawn, strict=True)):
            self._states[i], results = self.runner.run(self._states[i], kinds, own, keys)
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
    """Compile a population for data that lie on the devices, and put everything there.

    Args:
        study: complete.
        data: of its task.
        population: one of the study's.
        chunk: epochs in one call.
        layouts: to train and to observe in; chosen by the network's size where None.
        share: seeds in a slice; all where None.
    """
    compiler = compiler_of(study, population, data.tested, layouts, share)
    own = {
        **compiler.settings(),
        "training": data.training,
        "evaluation": sliced(data.evaluation, population, patches=jax.default_backend() == "cpu"),
        "probe": data.probe,
    }
    fixed = compiler.placed(own)
    steps = -(-len(data.training["x_train"]) // study.batch)
    shape = (chunk, steps, study.batch, len(compiler.slices[0]))
    order = jax.ShapeDtypeStruct(shape, np.int32, sharding=compiler.on(ORDER))
    kinds = jax.ShapeDtypeStruct((chunk,), np.int32)
    # Compiled here, as the chunk is, and not within what is timed as training.
    _ = compiler.start
    call = compiler.compiled(
        "chunk",
        functools.partial(_chunk, compiler),
        [kinds, order, fixed, compiler.keys[1][0]],
        [EVERYWHERE, ORDER, EVERYWHERE, PartitionSpec(SEED)],
        ("state", BY_SEED),
    )
    return Program(compiler, _OnDevices(compiler, call, fixed))


@dataclass
class _OnDevices:
    """Runs a chunk in one call, with all data on the devices."""

    compiler: Compiler
    call: kept.Compiled
    fixed: Tree

    def run(self, state: Tree, kinds: np.ndarray, order: np.ndarray, keys: jax.Array) -> tuple[Tree, Observed]:
        placed = self.compiler.placed(np.ascontiguousarray(order), ORDER)
        return self.call(state, kinds, placed, self.fixed, keys)

    def sizes(self) -> Sizes:
        state, _, order, *_ = self.call.args_info[0]
        return Sizes(
            array_bytes(state),
            array_bytes(state["params"]),
            array_bytes(order),
            returned_bytes(self.compiler, self.call),
            temporary_bytes(self.compiler, self.call),
        )


def returned_bytes(compiler: Compiler, call: kept.Compiled) -> int:
    """Bytes of what a call returns besides the state that it overwrites, on all devices."""
    taken: Any = call.memory_analysis()
    return compiler.devices.size * (taken.output_size_in_bytes - taken.alias_size_in_bytes)


def temporary_bytes(compiler: Compiler, call: kept.Compiled) -> int:
    """Bytes of what a call computes on the way, on all devices."""
    taken: Any = call.memory_analysis()
    return compiler.devices.size * taken.temp_size_in_bytes


def array_bytes(tree: Any) -> int:
    """Bytes of the arrays of a tree, or of their shapes."""
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _chunk(
    compiler: Compiler, state: Tree, kinds: jax.Array, order: jax.Array, fixed: Tree, keys: jax.Array
) -> tuple[Tree, Observed]:
    model = compiler.model
    optimiser = {"name": compiler.optimiser, **fixed["optimiser"]}

    def train(state: Tree, batches: jax.Array) -> Tree:
        def one_step(state: Tree, batch: jax.Array) -> tuple[Tree, None]:
            samples = training.chosen(fixed["training"], batch)
            return training.step(model, optimiser, fixed["rates"], samples, keys, state), None

        return jax.lax.scan(one_step, state, batches)[0]

    # A jit of its own is traced once, for the shapes of its results and as a branch; what it needs is handed to it.
    @jax.jit
    def observe(state: Tree, fixed: Tree) -> tuple[Observed, Items]:
        optimiser = {"name": compiler.optimiser, **fixed["optimiser"]}
        state = members_first(model, state)
        probes = measures.measure(compiler.observed, optimiser, fixed["rates"], fixed["probe"], state)
        found = measures.evaluate(
            compiler.observed, state["params"], fixed["evaluation"], compiler.tested, compiler.keeps_outputs
        )
        seen = Observed(found.sums, found.by_class, probes, state["params"] if compiler.keeps_weights else None)
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
