"""What becomes of an engine's results: by member, masked where a member has diverged, and handed to a sink."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from actlab.custom import map_leaves, named_leaves
from actlab.objectives import PARTS, Objective, Spread, f1_by_label
from actlab.plan.population import Population, members

Tree = Any


class Observed(NamedTuple):
    """What an engine observes of its members, (epochs, variants, seeds, ...) each.

    Attributes:
        sums: by name of each metric of the objective, (..., 3), sums of its scores over the training, validation and
            test samples of the evaluation; (..., targets, 3) of metrics that are finished by target.
        right: (..., classes), how many training samples of each class are put into it; None where targets are numbers.
        probes: by name of each measure, see `actlab.recording.measures`.
        weights: the parameters, where they are kept at every epoch.
        items: (1, variants, seeds, test samples), whether each is put into its class after the last of the epochs;
            None where nothing looks at single samples.
        outputs: (1, variants, seeds, test samples, outputs), those for each then; None where they are not kept.
    """

    sums: Mapping[str, Any]
    right: Any
    probes: Mapping[str, Any]
    weights: Tree | None
    items: Any = None
    outputs: Any = None


class Trained(Protocol):
    """A population while an engine trains it."""

    @property
    def population(self) -> Population:
        """Who is trained."""
        ...

    @property
    def keeps_weights(self) -> bool:
        """Whether weights come with every epoch."""
        ...

    def parameters(self) -> Tree:
        """The members' parameters as they are now, (variants, seeds, ...) NumPy arrays."""
        ...

    def first_parameters(self) -> Tree:
        """Those of the first seed alone, (variants, 1, ...)."""
        ...


class Sink(Protocol):
    """Where results go: a recording's writer, or what stands in its place."""

    def commit(
        self,
        first_epoch: int,
        metrics: Mapping[str, np.ndarray],
        arrays: Mapping[str, np.ndarray],
        diverged: Mapping[int, tuple[int, str]],
        kind: str = "epochs",
        members: Sequence[int] | None = None,
    ) -> None:
        """Take a range of epochs; see `actlab.recording.Writer.commit`."""
        ...


@dataclass
class Collector:
    """Turns results of the devices into what the recording holds, and remembers who has diverged.

    Attributes:
        objective: what the outputs mean.
        programs: in the order of the populations, which is that of the members.
        counts: samples in each set of the evaluation, as in `evaluation.Data`.
        sink: where it goes.
        alive: (members,), False from the first epoch on whose training loss is not finite.
        spread: of the targets where they are numbers.
        targets: of the test samples, which stand beside the outputs for them.
        recorded: the last epoch of each chunk, and when it was written, in Unix seconds.
    """

    objective: Objective
    programs: Sequence[Trained]
    counts: np.ndarray
    sink: Sink
    alive: np.ndarray
    spread: Spread | None = None
    targets: np.ndarray = field(default_factory=lambda: np.empty(0, np.int32))
    recorded: list[tuple[int, float]] = field(default_factory=list)

    @property
    def keeps_weights(self) -> bool:
        """Whether weights come with every epoch."""
        return all(program.keeps_weights for program in self.programs)

    def commit(
        self,
        epochs: range,
        results: Sequence[Observed],
        first_seed: dict[str, np.ndarray] | None = None,
        last: bool = False,
    ) -> int:
        """Wait for a chunk's results and write them; returns its last epoch.

        Args:
            epochs: the epochs they are of; rows after these belong to skipped ones.
            results: of each program, arrays (chunk, variants, seeds, ...) as `Program.advance` returns them.
            first_seed: the weights of the first seed after the last of the epochs, where they are kept.
            last: whether the run ends with them: then the test samples are written one by one.

        Raises:
            RecordingFailed: they cannot be written; nothing of the chunk is entered.
        """
        host = [
            self._by_member(trained, found, len(epochs)) for trained, found in zip(self.programs, results, strict=True)
        ]
        sums = _joined([found.sums for found in host])
        metrics, arrays = self._metrics(sums), _joined([found.probes for found in host])
        detail, values = self._in_detail(sums, host)
        diverged = self._mask(epochs, metrics, values)
        arrays[detail] = values.astype(np.float32)
        if self.keeps_weights:
            arrays |= self._name_weights([found.weights for found in host])
        self.sink.commit(epochs[0], metrics, arrays, diverged)
        self.recorded.append((epochs[-1], time.time()))
        if first_seed is not None:
            self.sink.commit(epochs[-1], {}, first_seed, {}, kind="first-seed", members=self._of_first_seed())
        if last and (items := self._one_by_one(host)):
            self.sink.commit(epochs[-1], {}, items, {}, kind="test")
        return epochs[-1]

    def _one_by_one(self, host: Sequence[Observed]) -> dict[str, np.ndarray]:
        """What the last epoch leaves of single test samples: see `recording.Segment`. Nothing where none is kept."""
        found: dict[str, np.ndarray] = {}
        if all(own.items is not None for own in host):
            found["right"] = np.packbits(np.concatenate([own.items for own in host], axis=1), axis=-1)
        if all(own.outputs is not None for own in host):
            with np.errstate(over="ignore"):  # of members that have diverged
                outputs = np.concatenate([own.outputs for own in host], axis=1).astype(np.float32)
            outputs[:, ~self.alive] = np.nan
            found |= {"outputs": outputs, "targets": self.targets[None, None]}
        return found

    def commit_weights(self, epoch: int) -> None:
        """Write the weights as they are now, as those of `epoch`. Raises RecordingFailed if they cannot be."""
        own = [_one_epoch(program.parameters()) for program in self.programs]
        self.sink.commit(epoch, {}, self._name_weights(own), {}, kind="weights")

    def first_weights(self) -> dict[str, np.ndarray]:
        """The first seed's weights as they are now, as `commit` takes them; waits for the devices."""
        return self._name_weights([_one_epoch(program.first_parameters()) for program in self.programs], seeds=1)

    def _of_first_seed(self) -> list[int]:
        """Ids of the first seed's members."""
        groups = [trained.population for trained in self.programs]
        return [member.id for member in members(groups) if member.seed == groups[0].seeds[0]]

    def _by_member(self, trained: Trained, found: Tree, epochs: int) -> Tree:
        """(chunk, variants, seeds, ...) on devices -> (epochs, members, ...) in memory, filled-up seeds left out."""
        seeds = len(trained.population.seeds)

        def convert(array: Any) -> np.ndarray:
            kept = np.asarray(array)[:epochs, :, :seeds]
            return kept.reshape(len(kept), -1, *kept.shape[3:])

        return map_leaves(convert, found)

    @property
    def _known(self) -> np.ndarray:
        # A class may have no sample among those evaluated: its accuracy is not known.
        return np.where(self.counts > 0, self.counts, np.nan)

    def _metrics(self, sums: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Metrics by name and part."""
        found = {}
        for i, part in enumerate(PARTS):
            for metric in self.objective.metrics:
                means = (sums[metric.name][..., i] / self._known[i]).astype(float)
                if metric.finish is not None:
                    with np.errstate(invalid="ignore", over="ignore"):  # of members that have diverged
                        means = metric.finish(means, self.spread, i)
                found[f"{part}_{metric.name}"] = means
        return found

    def _in_detail(self, sums: Mapping[str, np.ndarray], host: Sequence[Observed]) -> tuple[str, np.ndarray]:
        """The accuracy of each class in training, or the test error of each target in its own unit."""
        if self.objective.decides:
            right = np.concatenate([found.right for found in host], axis=1)
            return "class_accuracy", right / self._known[len(PARTS) :]
        test = PARTS.index("test")
        if not self.objective.predicts:
            return "label_f1", f1_by_label(sums["macro_f1"][..., test] / self._known[test])
        assert self.spread is not None
        return "target_rmse", self.spread.scales * np.sqrt(sums["rmse"][..., test] / self._known[test])

    def _mask(self, epochs: range, metrics: dict[str, np.ndarray], detail: np.ndarray) -> dict[int, tuple[int, str]]:
        """NaN from the first epoch on whose training loss is not finite; who diverged here, when and why."""
        diverged: dict[int, tuple[int, str]] = {}
        for row, epoch in enumerate(epochs):
            loss = metrics["train_loss"][row]
            for member in np.flatnonzero(self.alive & ~np.isfinite(loss)):
                what = "not a number" if np.isnan(loss[member]) else "infinite"
                diverged[int(member)] = (epoch, f"the training loss became {what}")
            self.alive &= np.isfinite(loss)
            for values in (*metrics.values(), detail):
                values[row, ~self.alive] = np.nan
        return diverged

    def _name_weights(self, by_program: list[Tree], seeds: int | None = None) -> dict[str, np.ndarray]:
        """Arrays named "weights/activation/layer/parameter", (epochs, members of the activation, ...)."""
        named: dict[str, np.ndarray] = {}
        for program, weights in zip(self.programs, by_program, strict=True):
            population = program.population
            seeds = seeds or len(population.seeds)
            for layer, own in weights.items():
                for group in population.groups if layer not in population.network.act_layers else ():
                    rows = slice(group.start * seeds, group.stop * seeds)
                    for parameter, array in named_leaves(own).items():
                        named[f"weights/{group.function.name}/{layer}/{parameter}"] = array[:, rows]
            for built, group, shapes in population.acts():
                for parameter in shapes:
                    array = weights[built.name][group.function.name][parameter]
                    for own in population.groups:
                        if group.start <= own.start and own.stop <= group.stop:
                            rows = slice((own.start - group.start) * seeds, (own.stop - group.start) * seeds)
                            named[f"weights/{own.function.name}/{built.name}/{parameter}"] = array[:, rows]
        return named


def _one_epoch(parameters: Tree) -> Tree:
    """(variants, seeds, ...) -> (1, members, ...)."""
    return map_leaves(lambda array: array.reshape(1, -1, *array.shape[2:]), parameters)


def _joined(arrays: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The members of all populations side by side."""
    return {name: np.concatenate([own[name] for own in arrays], axis=1) for name in arrays[0]}
