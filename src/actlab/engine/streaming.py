"""Training on data that stay in the host's memory: they are given to the devices batch by batch.

What lies on the devices is then the members, one block of batches that is trained on and the next one, and a slice of
the samples that are evaluated. A member computes the same as with all data on the devices, but for rounding.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from actlab.engine import kept, measures, training
from actlab.engine.compiler import EVERYWHERE, Compiler, compiler_of, members_first
from actlab.engine.devices import SEED
from actlab.engine.program import (
    TRAIN,
    Program,
    Sizes,
    array_bytes,
    returned_bytes,
    temporary_bytes,
)
from actlab.plan.collector import Observed
from actlab.plan.evaluation import Arrays, Data, samples_at_once
from actlab.plan.layout import Layouts
from actlab.plan.population import Population
from actlab.study import Study

Tree = Any

# Data go batch by batch where they take more than this share of the memory.
SHARE = 1 / 5
# So many bytes of samples are trained on in one call, at least one batch, and evaluated: larger blocks took longer to
# come by, since the memory for them is got anew each time.
BLOCK_BYTES = 2**23
# Blocks at once: the one that is trained on, and the next, gathered and placed.
BLOCKS = 3
# Samples of a block (steps, batch, seeds, ...), and what comes back of a slice of the evaluation.
BLOCK = PartitionSpec(None, None, SEED)
MEMBERS = PartitionSpec(None, SEED)


def streams(data: Data, memory: int) -> bool:
    """Whether data are given to the devices batch by batch: where they take more than SHARE of the memory."""
    return data_bytes(data) > SHARE * memory


def data_bytes(data: Data) -> int:
    """Bytes of the samples that are trained and evaluated on."""
    return sum(array.nbytes for arrays in (data.training, data.evaluation) for array in arrays.values())


def build(
    study: Study, data: Data, population: Population, layouts: Layouts | None = None, share: int | None = None
) -> Program:
    """Compile a population for data that stay on the host; arguments as of `program.build`, a chunk is one epoch."""
    compiler = compiler_of(study, population, data.tested, layouts, share)
    _ = compiler.start
    keys = compiler.keys[1][0]
    fixed = compiler.placed({**compiler.settings(), "probe": data.probe})
    block = _block_of(compiler, data)
    train = compiler.compiled(
        "block",
        functools.partial(_train, compiler),
        [block, jax.ShapeDtypeStruct((), np.int32), fixed, keys],
        [BLOCK, EVERYWHERE, EVERYWHERE, PartitionSpec(SEED)],
        "state",
    )
    measure = compiler.compiled(
        "measure", functools.partial(_measure, compiler), [fixed], [EVERYWHERE], MEMBERS, donates=False
    )
    length = _samples_evaluated_at_once(data, population)
    part = {
        name: jax.ShapeDtypeStruct((length, *array.shape[1:]), array.dtype) for name, array in data.evaluation.items()
    }
    evaluate = compiler.compiled(
        "evaluate", functools.partial(_evaluate, compiler), [part], [EVERYWHERE], MEMBERS, donates=False
    )
    return Program(compiler, _BatchByBatch(compiler, data, fixed, train, measure, evaluate, block, length))


def _block_of(compiler: Compiler, data: Data) -> training.Samples:
    """The shapes of a block of batches."""
    study, arrays = compiler.study, data.training
    one = np.zeros((1, study.batch, len(compiler.slices[0])), np.int32)
    chosen = training.chosen(arrays, one, _precision())
    steps = -(-len(arrays["x_train"]) // study.batch)
    count = max(1, min(steps, BLOCK_BYTES // array_bytes(chosen)))
    where = compiler.on(BLOCK)
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((count, *leaf.shape[1:]), leaf.dtype, sharding=where), chosen)


def _samples_evaluated_at_once(data: Data, population: Population) -> int:
    x = data.evaluation["x"]
    most = samples_at_once(len(x), population, patches=jax.default_backend() == "cpu")
    return max(1, min(most, BLOCK_BYTES // array_bytes(x[:1])))


def _precision() -> Any:
    return jnp.result_type(float)


@dataclass
class _BatchByBatch:
    """Runs epochs block by block, and what is observed slice by slice."""

    compiler: Compiler
    data: Data
    fixed: Tree
    train: kept.Compiled
    measure: kept.Compiled
    evaluate: kept.Compiled
    block: training.Samples
    length: int

    def run(self, state: Tree, kinds: np.ndarray, order: np.ndarray, keys: jax.Array) -> tuple[Tree, Observed]:
        """One epoch."""
        (kind,), (batches,) = kinds, order
        if kind == TRAIN:
            state = self._trained(state, batches, keys)
        return state, jax.tree.map(lambda own: own[None], self._observed(state))

    def _trained(self, state: Tree, batches: np.ndarray, keys: jax.Array) -> Tree:
        """The state after an epoch; `batches` (steps, batch, seeds)."""
        size, precision = self.block.x.shape[0], np.dtype(_precision())
        for first in range(0, len(batches), size):
            own = batches[first : first + size]
            whole = np.concatenate([own, np.full((size - len(own), *own.shape[1:]), -1, own.dtype)])
            samples = training.chosen(self.data.training, whole, precision)
            # The next block is gathered while this one is trained on, and no further one.
            jax.block_until_ready(state["steps"])
            state = self.train(state, self.compiler.placed(samples, BLOCK), np.int32(len(own)), self.fixed, keys)
        return state

    def _observed(self, state: Tree) -> Observed:
        """What is observed now, (variants, seeds, ...) in the host's memory."""
        probes, weights = self.measure(state, self.fixed)
        sums: Tree = None
        items: list[Tree] = []
        for first, part in self._slices():
            found = self.evaluate(state, self.compiler.placed(part))
            own = jax.tree.map(lambda leaf: np.asarray(leaf, float), (found.sums, found.by_class))
            sums = own if sums is None else jax.tree.map(np.add, sums, own)
            items.append(jax.tree.map(functools.partial(self._of_tests, first), (found.right, found.outputs)))
        rounded = jax.tree.map(lambda leaf: leaf.astype(self.fixed["rates"].dtype), sums)
        right, outputs = jax.tree.map(lambda *parts: np.concatenate(parts, axis=2), *items)
        host = jax.tree.map(np.asarray, (probes, weights))
        return Observed(rounded[0], rounded[1], host[0], host[1], right, outputs)

    def _of_tests(self, first: int, array: jax.Array) -> np.ndarray:
        """Of the samples of a slice that begins at `first` those that are of the test part."""
        tested = self.compiler.tested
        start, stop = (min(max(end - first, 0), self.length) for end in (tested.start, tested.stop))
        return np.asarray(array)[:, :, start:stop]

    def _slices(self) -> Iterator[tuple[int, Arrays]]:
        """The samples of the evaluation in parts of one length, with where each begins; the padding is of no set."""
        for first in range(0, len(self.data.evaluation["x"]), self.length):
            part = {name: array[first : first + self.length] for name, array in self.data.evaluation.items()}
            missing = self.length - len(part["x"])
            yield (
                first,
                {
                    name: np.concatenate([own, np.zeros((missing, *own.shape[1:]), own.dtype)]) if missing else own
                    for name, own in part.items()
                },
            )

    def sizes(self) -> Sizes:
        """What it takes: results come one epoch at a time, blocks take the place of the order."""
        state = self.train.args_info[0][0]
        calls = self.train, self.measure, self.evaluate
        part = array_bytes(self.evaluate.args_info[0][1])
        return Sizes(
            array_bytes(state),
            array_bytes(state["params"]),
            4 * len(self.compiler.slices[0]) * len(self.data.training["x_train"]),
            returned_bytes(self.compiler, self.measure) + returned_bytes(self.compiler, self.evaluate),
            max(temporary_bytes(self.compiler, call) for call in calls)
            + max(BLOCKS * array_bytes(self.block), BLOCKS * self.compiler.devices.size * part),
        )


def _train(
    compiler: Compiler, state: Tree, block: training.Samples, count: jax.Array, fixed: Tree, keys: jax.Array
) -> Tree:
    """The state after the first `count` steps of a block."""
    optimiser = {"name": compiler.optimiser, **fixed["optimiser"]}

    def one_step(step: jax.Array, state: Tree) -> Tree:
        samples = jax.tree.map(lambda leaf: leaf[step], block)
        return training.step(compiler.model, optimiser, fixed["rates"], samples, keys, state)

    return jax.lax.fori_loop(0, count, one_step, state)


def _measure(compiler: Compiler, state: Tree, fixed: Tree) -> tuple[Tree, Tree]:
    optimiser = {"name": compiler.optimiser, **fixed["optimiser"]}
    state = members_first(compiler.model, state)
    probes = measures.measure(compiler.observed, optimiser, fixed["rates"], fixed["probe"], state)
    return probes, state["params"] if compiler.keeps_weights else None


def _evaluate(compiler: Compiler, state: Tree, part: dict[str, jax.Array]) -> measures.Evaluated:
    """Sums over a slice of the evaluation, and of each of its samples what the networks make of it."""
    own = {name: array[None] for name, array in part.items()}
    params = members_first(compiler.model, state)["params"]
    return measures.evaluate(compiler.observed, params, own, slice(None), compiler.keeps_outputs)
