"""A population of a user's PyTorch network while it is trained: slices of it, one after the other on each core.

Members never meet, so a slice goes through a whole chunk of epochs by itself, computed by one thread: its arrays stay
near the core, and no thread waits for another after every operation, as those of PyTorch do.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

import numpy as np
import torch

from actlab.custom_torch import TracedModule
from actlab.engine.torch.graphs import Tracer
from actlab.engine.torch.optimisers import Stepper
from actlab.engine.torch.slices import Members, Placed, Slice, placed, started
from actlab.errors import InvalidNetwork
from actlab.plan.batches import SKIP, TRAIN
from actlab.plan.collector import Observed
from actlab.plan.evaluation import Data, keeps_outputs
from actlab.plan.population import Group, Population, keeps_weights
from actlab.study import Study
from actlab.wording import counted

Tree = Any

# What the largest array of a slice may take: of larger ones the C library asks the system anew at every step, and gets
# them page by page (five times the time of the product that fills them, where it was measured).
LARGEST_ARRAY = 2**24


@dataclass
class Program:
    """A population with its state; `advance` runs one chunk of epochs.

    Attributes:
        population: who is trained.
        slices: by group, slices of its seeds.
        data: where modules take them.
        workers: how many slices are computed at a time.
        keeps_outputs: whether the outputs for the test samples are among the results.
    """

    population: Population
    slices: tuple[tuple[Slice, ...], ...]
    data: Placed
    workers: int
    keeps_outputs: bool

    @property
    def keeps_weights(self) -> bool:
        """Whether every epoch's weights are among the results."""
        return keeps_weights(self.population)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, in the order in which batches are handed over."""
        return self.population.seeds

    @property
    def layout(self) -> str:
        """How members lie in memory."""
        return "stacked"

    @property
    def precision(self) -> str:
        """The type of the parameters."""
        return str(torch.get_default_dtype()).removeprefix("torch.")

    def advance(self, kinds: np.ndarray, order: np.ndarray) -> Observed:
        """Run a chunk: kinds (epochs,) of SKIP, OBSERVE or TRAIN, order as `plan.batches.orders` gives it.

        Returns:
            NumPy arrays (epochs that are not skipped, variants, seeds, …).
        """
        columns = self._columns()

        def chunk(own: Slice) -> Observed:
            epochs = []
            for kind, batches in zip(kinds, order[..., columns(own)], strict=True):
                if kind == TRAIN:
                    own.train(self.data, batches)
                if kind != SKIP:
                    epochs.append(own.observe(self.data, keeps_weights=self.keeps_weights))
            return self._chunk(epochs)

        return self._whole([list(found) for found in _of_groups(self.slices, self._computed(chunk))])

    def train(self, order: np.ndarray) -> None:
        """An epoch of training alone: order (steps, batch, seeds)."""
        columns = self._columns()
        self._computed(lambda own: own.train(self.data, order[..., columns(own)]))

    def parameters(self) -> Tree:
        """The members' parameters as they are now, (variants, seeds, …) NumPy arrays."""
        return self._joined([[own.weights() for own in group] for group in self.slices], axis=0)

    def first_parameters(self) -> Tree:
        """Those of the first seed alone, (variants, 1, …)."""
        whole = self._joined([[group[0].weights()] for group in self.slices], axis=0)
        return _tree(lambda array: array[:, :1], whole)

    def _columns(self) -> Callable[[Slice], list[int]]:
        """Where the seeds of a slice lie among those of the population."""
        places = {seed: place for place, seed in enumerate(self.seeds)}
        return lambda own: [places[seed] for seed in own.members.seeds]

    def _computed(self, chunk: Callable[[Slice], Any]) -> list[Any]:
        """A function of every slice, some at a time."""
        every = [own for group in self.slices for own in group]
        if self.workers == 1:
            return [chunk(own) for own in every]

        def alone(own: Slice) -> Any:
            torch.set_num_threads(1)  # of this thread
            return chunk(own)

        with _threads_kept(), ThreadPoolExecutor(self.workers, "members") as pool:
            return list(pool.map(alone, every))

    def _chunk(self, epochs: Sequence[Observed]) -> Observed:
        """The epochs of a slice one after the other; of the test samples one by one only the last is kept."""
        last = epochs[-1]
        kept = [epoch._replace(items=None, outputs=None) for epoch in epochs]
        whole = Observed(*_zipped(np.stack, [tuple(epoch) for epoch in kept]))
        outputs = last.outputs[None] if self.keeps_outputs else None
        return whole._replace(items=None if last.items is None else last.items[None], outputs=outputs)

    def _whole(self, by_group: Sequence[Sequence[Observed]]) -> Observed:
        without = [[tuple(found._replace(weights=None)) for found in group] for group in by_group]
        seeds = [_zipped(lambda parts: np.concatenate(parts, axis=2), group) for group in without]
        whole = Observed(*_zipped(lambda parts: np.concatenate(parts, axis=1), seeds))
        if not self.keeps_weights:
            return whole
        return whole._replace(weights=self._joined([[f.weights for f in group] for group in by_group], axis=1))

    def _joined(self, by_group: Sequence[Sequence[Tree]], axis: int) -> Tree:
        """Weights of groups and slices as one tree; those of a function's parameters are of its group alone."""
        groups = [_zipped(lambda parts: np.concatenate(parts, axis=axis + 1), group) for group in by_group]
        network = _zipped(lambda parts: np.concatenate(parts, axis=axis), [own["network"] for own in groups])
        whole: Tree = {"network": network}
        for own in groups:
            for place, functions in own.items():
                if place != "network":
                    whole.setdefault(place, {}).update(functions)
        return whole


def build(study: Study, data: Data, population: Population) -> Program:
    """A population on PyTorch's default device, ready to be trained.

    Args:
        study: complete, with a network in PyTorch.
        data: of its task.
        population: one of the study's.

    Raises:
        InvalidNetwork: torch.func does not take the module, or it does not start alike from one seed.
    """
    own = placed(data, population, tokens=study.layout == "tokens")
    first = cast("TracedModule", population.network)
    initial = {seed: first.initial(seed) for seed in population.seeds}
    _refuse_other_draws(first, population.seeds[0], initial[population.seeds[0]])
    threads = torch.get_num_threads() if torch.get_default_device().type == "cpu" else 1
    groups = population.groups
    share = _share(first, groups, len(population.seeds), threads)
    slices = []
    for group in groups:
        variants = population.variants[group.start : group.stop]
        network = cast("TracedModule", population.networks[variants[0].activation])
        tracer, graphs = Tracer(network, population.objective), {}
        of_group = []
        for place in range(0, len(population.seeds), share):
            members = Members(group.start, group.stop, population.seeds[place : place + share])
            state = started(network, members, initial)
            stepper = Stepper(study.optimiser, [variant.learning_rate for variant in variants], state.arrays)
            of_group.append(Slice(members, tracer, graphs, state, stepper))
            of_group[-1].trace(own, study.batch)
        slices.append(tuple(of_group))
    outputs = keeps_outputs(study, first.output_shape[-1], data.tested.stop - data.tested.start)
    return Program(population, tuple(slices), own, min(threads, sum(map(len, slices))), outputs)


def _share(network: TracedModule, groups: Sequence[Group], seeds: int, threads: int) -> int:
    """How many seeds a slice has: as many as leave no thread idle and no array larger than LARGEST_ARRAY."""
    parts = 1 if len(groups) % threads == 0 else min(threads, seeds)
    variants = max(group.stop - group.start for group in groups)
    size = torch.get_default_dtype().itemsize
    largest = size * variants * max(int(np.prod(shape)) for shape in network.leaves.values())
    return max(1, min(-(-seeds // parts), LARGEST_ARRAY // largest))


def _refuse_other_draws(network: TracedModule, seed: int, initial: Tree) -> None:
    again = network.initial(seed)
    if any(not torch.equal(again[name], tensor) for name, tensor in initial.items() if not tensor.isnan().any()):
        raise InvalidNetwork(
            f"network {network.own}: built twice after torch.manual_seed({seed}) it starts from other weights, so that "
            "functions would not start alike: draw initial weights by PyTorch, from its global generator."
        )


def _of_groups(slices: Sequence[Sequence[Slice]], found: Sequence[Observed]) -> Iterator[Iterator[Observed]]:
    numbers = [number for number, group in enumerate(slices) for _ in group]
    for _, group in groupby(zip(numbers, found, strict=True), key=lambda pair: pair[0]):
        yield (own for _, own in group)


@contextlib.contextmanager
def _threads_kept() -> Iterator[None]:
    """PyTorch's number of threads is what it was at the end of a `with` block."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _tree(function: Callable[[np.ndarray], np.ndarray], tree: Tree) -> Tree:
    return {name: _tree(function, own) for name, own in tree.items()} if isinstance(tree, dict) else function(tree)


def _zipped(function: Callable[[list[np.ndarray]], np.ndarray], trees: Sequence[Tree]) -> Tree:
    """One tree of several: a function of the arrays that have one place; None stays."""
    first = trees[0]
    if isinstance(first, dict):
        return {name: _zipped(function, [tree[name] for tree in trees]) for name in first}
    if isinstance(first, tuple):
        return tuple(_zipped(function, list(parts)) for parts in zip(*trees, strict=True))
    return None if first is None else function(list(trees))


def machine() -> str:
    """The machine in a line: system, processor type, cores, device and threads.

    >>> "thread" in machine()
    True
    """
    device, cores = torch.get_default_device(), os.cpu_count()
    threads = counted(torch.get_num_threads(), "thread")
    return f"{platform.system()} {platform.machine()}, {cores} cores, PyTorch on {device.type}, {threads}"


def facts(groups: Sequence[Population]) -> dict[str, Any]:
    """What a recording says of modules: by place the axis of the units; what was replaced where act is not taken."""
    network = cast("TracedModule", groups[0].network)
    found: dict[str, Any] = {"unit_axes": dict(network.axes)}
    if network.replaced:
        found |= {"replaced": dict(network.replaced), "left": dict(network.left)}
    return found
