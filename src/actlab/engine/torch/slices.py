"""Members of one function that are trained together, with their state and the graphs that they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

from actlab.custom_torch import Tensors, TracedModule, module_input
from actlab.engine.torch.draws import Draws, drawing
from actlab.engine.torch.graphs import Graph, State, Tracer
from actlab.engine.torch.measures import Arrays, evaluate, measure, norm, turned_rows
from actlab.engine.torch.optimisers import Stepper
from actlab.plan.collector import Observed
from actlab.plan.evaluation import Data, samples_at_once
from actlab.plan.population import Population

Tensor = torch.Tensor
Tree = Any


@dataclass(frozen=True)
class Placed:
    """The data as modules take them.

    Attributes:
        training, probe: "x", "y" and, where samples weigh differently, "w".
        evaluation: parts of the samples of the evaluation, one after the other.
        told: y and membership of the evaluation, as in `plan.evaluation.Data`.
        tested: where the test samples lie among them.
    """

    training: Tensors
    probe: Tensors
    evaluation: tuple[Tensor, ...]
    told: Mapping[str, np.ndarray]
    tested: slice


def placed(data: Data, population: Population, *, tokens: bool) -> Placed:
    """Put the data of a task where modules are built: in PyTorch's default type, on its default device."""
    classes = population.objective.decides

    def samples(x: np.ndarray) -> Tensor:
        own = torch.as_tensor(x, device=torch.get_default_device())
        return module_input(own if tokens else own.to(torch.get_default_dtype()), tokens=tokens)

    def targets(y: np.ndarray) -> Tensor:
        own = torch.as_tensor(y, device=torch.get_default_device())
        return own.long() if classes else own.to(torch.get_default_dtype())

    def numbers(w: np.ndarray) -> Tensor:
        return torch.as_tensor(w, device=torch.get_default_device(), dtype=torch.get_default_dtype())

    made = {"x": samples, "y": targets, "w": numbers}
    training = {name.removesuffix("_train"): array for name, array in data.training.items()}
    x = samples(data.evaluation["x"])
    at_once = samples_at_once(len(x), population, patches=False)
    return Placed(
        {name: made[name](array) for name, array in training.items()},
        {name: made[name](array) for name, array in data.probe.items()},
        x.split(at_once),
        {name: array for name, array in data.evaluation.items() if name != "x"},
        data.tested,
    )


class Members(NamedTuple):
    """Which members: the variants `start` to `stop` of a population, at some of its seeds."""

    start: int
    stop: int
    seeds: tuple[int, ...]


@dataclass
class Slice:
    """Members of one function, variant by variant and seed by seed, (variants · seeds, …).

    Attributes:
        members: who they are.
        tracer: makes the graphs.
        graphs: by what they are for and the samples they take; shared with slices of as many members.
        state: their tensors.
        stepper: the optimiser.
        draws: what is random.
    """

    members: Members
    tracer: Tracer
    graphs: dict[Any, Graph]
    state: State
    stepper: Stepper
    draws: Draws = field(init=False)

    def __post_init__(self) -> None:
        self.draws = Draws(self.members.seeds, self.variants)

    @property
    def variants(self) -> int:
        """How many variants it has."""
        return self.members.stop - self.members.start

    @property
    def network(self) -> TracedModule:
        """The network with its function."""
        return self.tracer.network

    def trace(self, data: Placed, batch: int) -> None:
        """Make all graphs that it runs, where a slice like it has not.

        Raises:
            InvalidNetwork: torch.func does not take the module.
        """
        samples = len(data.training["x"])
        for size in {min(batch, samples), samples % batch} - {0}:
            first = torch.arange(size).expand(len(self.members.seeds), size)
            self._graph("training", self._batch(data.training, first))
        for part in data.evaluation:
            self._graph("outputs", {"x": part})
        self._graph("probe", data.probe, self._taps(data))

    def train(self, data: Placed, order: np.ndarray) -> None:
        """An epoch: order (steps, batch, seeds), −1 in what is lacking of the last batch."""
        with torch.no_grad(), drawing(self.draws):
            for batch in self._batches(data, order):
                (trained, own), running = self._graph("training", batch)(*self.state.tensors, batch)
                gradients = [*trained.values(), *(array for place in own.values() for array in place.values())]
                self.stepper.step(gradients)
                for name, tensor in running.items():
                    self.state.running[name].copy_(tensor)
                self.draws.step += 1

    def observe(self, data: Placed, *, keeps_weights: bool) -> Observed:
        """What is observed of the members now, (variants, seeds, …) each."""
        objective = self.tracer.objective
        with torch.no_grad(), drawing(self.draws):
            parts = [self._graph("outputs", {"x": part})(*self.state.tensors, {"x": part}) for part in data.evaluation]
            found = evaluate(objective, torch.cat(parts, dim=1).cpu().numpy(), data.told, data.tested)
            probes = self._probes(data)
        weights = self.weights() if keeps_weights else None
        return _by_variant(
            Observed(found.sums, found.by_class, probes, None, found.right, found.outputs), self.variants
        )._replace(weights=weights)

    def weights(self) -> Tree:
        """`{"network": {name: array}, place: {function: {parameter: array}}}`, (variants, seeds, …) copies."""
        turned = {name: turned_rows(array, self.network.turned[name]) for name, array in self.state.trained.items()}
        own = {place: {self.network.activation.name: values} for place, values in self.state.own.items()}
        return _mapped(lambda array: _rows(array.cpu().numpy().copy(), self.variants), {"network": turned, **own})

    def _probes(self, data: Placed) -> Arrays:
        taps = self._taps(data)
        (trained, own, tapped), seen = self._graph("probe", data.probe, taps)(*self.state.tensors, data.probe, taps)
        gradients = [*trained.values(), *(array for place in own.values() for array in place.values())]
        moves = dict(zip(self.state.trained, self.stepper.moves(gradients), strict=False))
        ratios = [norm(moves[name]) / norm(self.state.trained[name]) for name in self.network.weight_layers]
        found = measure(self.network, self.state.own, trained, tapped, seen)
        return found | {"update_ratio": torch.stack(ratios, dim=1).cpu().numpy()}

    def _taps(self, data: Placed) -> Tree:
        def zeros(shape: tuple[int, ...]) -> Tensor:
            return torch.zeros((len(data.probe["x"]), *shape), dtype=torch.get_default_dtype())

        return {built.name: (zeros(built.input_shape), zeros(built.output_shape)) for built in self.network.layers}

    def _graph(self, name: str, data: Tensors, *taps: Tree) -> Graph:
        key = name, len(self.state.arrays[0]), tuple(data["x"].shape)
        if key not in self.graphs:
            self.graphs[key] = getattr(self.tracer, name)(self.state, data, *taps)
        return self.graphs[key]

    def _batches(self, data: Placed, order: np.ndarray) -> Iterator[Tensors]:
        by_seed = torch.as_tensor(np.ascontiguousarray(order.transpose(0, 2, 1))).long()
        last = int((order[-1, :, 0] >= 0).sum())
        for step, chosen in enumerate(by_seed):
            yield self._batch(data.training, chosen[:, :last] if step == len(by_seed) - 1 else chosen)

    def _batch(self, data: Tensors, chosen: Tensor) -> Tensors:
        """The samples (members, batch, …) of indices (seeds, batch)."""
        chosen = chosen.repeat(self.variants, 1).to(data["x"].device)
        return {name: array[chosen] for name, array in data.items()}


def _rows(array: np.ndarray, variants: int) -> np.ndarray:
    return array.reshape(variants, -1, *array.shape[1:])


def _by_variant(found: Observed, variants: int) -> Observed:
    return Observed(*_mapped(lambda array: _rows(array, variants), tuple(found)))


def _mapped(function: Any, tree: Tree) -> Tree:
    """A function of every array of dicts and tuples; None stays."""
    if isinstance(tree, dict):
        return {name: _mapped(function, own) for name, own in tree.items()}
    if isinstance(tree, tuple):
        return tuple(_mapped(function, own) for own in tree)
    return None if tree is None else function(tree)


def started(network: TracedModule, members: Members, initial: Mapping[int, Tensors]) -> State:
    """The tensors of members as they start: those of a seed alike for all variants.

    Args:
        network: of their function.
        members: who they are.
        initial: by seed, what `TracedModule.initial` gives.
    """
    variants, of_seeds = members.stop - members.start, [initial[seed] for seed in members.seeds]

    def stacked(name: str) -> Tensor:
        own = torch.stack([tensors[name] for tensors in of_seeds])
        return own.repeat(variants, *(1,) * (own.ndim - 1))

    shared = frozenset(n for n in network.fixed if all(torch.equal(own[n], of_seeds[0][n]) for own in of_seeds))
    fixed = {name: of_seeds[0][name].clone() if name in shared else stacked(name) for name in network.fixed}
    defaults = {p.name: float(p.default or 0.0) for p in network.activation.parameters if p.trainable}
    count = variants * len(members.seeds)
    own = {
        built.name: {
            name: torch.full((count, *shape), defaults[name]) for name, shape in built.parameter_shapes.items()
        }
        for built in network.layers
        if built.parameter_shapes
    }
    trained = {name: stacked(name) for name in network.leaves}
    return State(trained, own, {name: stacked(name) for name in network.running}, fixed, shared)
