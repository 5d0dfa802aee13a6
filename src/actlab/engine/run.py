"""The host's side of a run: chunk by chunk, one computed while the one before it is written."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from actlab.custom import named_leaves
from actlab.engine import devices, measures
from actlab.engine.memory import build_within
from actlab.engine.program import OBSERVE, SKIP, TRAIN, Data, Program, chunk_length, orders, prepare_data
from actlab.functions import catalogue
from actlab.plan.population import members, populations
from actlab.recording import METRICS, Claim, Recording, Writer
from actlab.study import Study, complete, load_task
from actlab.tasks import Task

Tree = Any

# Training samples in a recording: small networks, whose every step can be drawn, leave more; of large ones at most
# so many numbers.
SAMPLES_OF_SMALL = 2000
SAMPLES_OF_LARGE = 256
SAMPLE_NUMBERS = 1_000_000
# Of large networks all weights are kept at both ends of the training, and in between those of the first seed at some
# epochs, for one to see how the layers come about: at most so many epochs and bytes.
EPOCHS_BETWEEN = 10
BYTES_BETWEEN = 2**27


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        epoch: the last finished one, 0 at the start.
        epochs: how many there will be.
        members: networks in training.
        samples: training samples seen so far, counted once for every member.
        seconds: time since training began, compiling left out.
        purpose: what the run is for where it is not the comparison itself.
    """

    epoch: int
    epochs: int
    members: int
    samples: int
    seconds: float
    purpose: str = ""


def train(
    study: Study,
    directory: str | Path | Claim,
    *,
    task: Task | None = None,
    memory: int | None = None,
    restart: bool = False,
    tuning: list[dict[str, Any]] | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Recording:
    """Train the population of a study and record it; one that has been recorded is not trained again.

    Args:
        study: what to compare. With several learning rates and none chosen, every activation is trained at each.
        directory: the run directory: new, empty, one with a complete recording of the same study, or one that is
            claimed already.
        task: the data, if they are at hand; by the study's `task` otherwise.
        memory: bytes that the process is to stay below: a larger population runs in slices of its seeds, with the same
            result but for rounding.
        restart: train anew where a recording of the study lies there; it stays until the new one is complete.
        tuning: which learning rates were tried and how they did, kept among the facts.
        progress: called in this thread, after compiling and after every chunk of epochs. What it raises stops the
            run; the chunks it was told of are kept.

    Returns:
        the recording, complete.

    Raises:
        InvalidStudy, InvalidNetwork, InvalidData, DownloadFailed: nothing has been written.
        InvalidRecording: the directory holds something else, or a part of a recording without `restart`, or another
            run writes there; it is untouched.
        RecordingFailed: the disk is full; the message says what is kept.

    A member whose training loss becomes NaN or infinite raises nothing: the recording says when and why.
    """
    devices.prepare()
    task = task or load_task(study)
    study = complete(study, task)
    # Before anything is computed: that the directory is free and can be written to.
    with nullcontext(directory) if isinstance(directory, Claim) else Claim(directory, study, restart=restart) as claim:
        return claim.finished or _record(study, claim, task, memory, tuning, progress)


def _record(
    study: Study,
    claim: Claim,
    task: Task,
    memory: int | None,
    tuning: list[dict[str, Any]] | None,
    progress: Callable[[Progress], None],
) -> Recording:
    groups = populations(study, task.input_shape)
    chunk = min(chunk_length(study, population, len(task.x_train)) for population in groups)
    data = prepare_data(study, task, groups[0])
    cards = {name: _card(name) for name in study.activations}
    with devices.Stopwatch() as compiling:
        programs = build_within(study, task, groups, chunk, memory)
    facts = _facts(study, task, groups, data) | {"tuning": tuning, "started": time.time()}
    writer = Writer.create(claim, study, members(groups), cards, **facts)
    try:
        return _train(study, task, programs, data, writer, chunk, compiling.seconds, progress)
    finally:
        writer.close()


def _train(
    study: Study,
    task: Task,
    programs: list[Program],
    data: Data,
    writer: Writer,
    chunk: int,
    compile_seconds: float,
    progress: Callable[[Progress], None],
) -> Recording:
    samples = len(task.x_train)
    count = sum(len(program.population.variants) * len(program.population.seeds) for program in programs)
    collector = Collector(study, programs, data.counts, writer, np.ones(count, bool))
    _commit_sample(writer, programs, task, study)
    between: set[int] = set()
    if not collector.keeps_weights:
        collector.commit_weights(0)
        between = _between(range(study.epochs + 1)[chunk - 1 :: chunk], study.epochs, _first_bytes(programs))
    start = time.perf_counter()
    progress(Progress(0, study.epochs, count, 0, 0.0))

    def show(epoch: int) -> None:
        progress(Progress(epoch, study.epochs, count, epoch * samples * count, time.perf_counter() - start))

    # Leaving the pool waits for what is being written: an interrupt loses nothing that was handed over before, unless
    # another program keeps it from being written.
    with ThreadPoolExecutor(1, "recording") as pool, writer.hurried():
        written: Future[int] | None = None
        results: list[Tree] = []
        for first in range(0, study.epochs + 1, chunk):
            epochs = range(first, min(first + chunk, study.epochs + 1))
            results = _advance(study, samples, programs, epochs, chunk)
            if written is not None:
                show(written.result())
            first_seed = collector.first_weights() if epochs[-1] in between else None
            written = pool.submit(collector.commit, epochs, results, first_seed)
        jax.block_until_ready(results)
        train_seconds = time.perf_counter() - start
        if written is not None:
            show(written.result())
    if not collector.keeps_weights:
        collector.commit_weights(study.epochs)
    throughput = _throughput(study, samples, count, train_seconds) | {"compile_seconds": compile_seconds}
    writer.finish(throughput=throughput, recorded=collector.recorded)
    return Recording(writer.directory)


def _first_bytes(programs: list[Program]) -> int:
    """What the weights of one seed of every activation take, in float32."""
    return 4 * sum(n.parameter_count for program in programs for n in program.population.networks.values())


def _between(ends: range, last: int, size: int) -> set[int]:
    """Which epochs between the first and the last leave the first seed's weights: closer at the start.

    Args:
        ends: the last epochs of chunks, after which weights can be had.
        last: the last epoch.
        size: bytes of one epoch's.

    >>> sorted(_between(range(100), last=99, size=2**20))
    [1, 4, 10, 18, 28, 39, 52, 66, 81, 98]
    >>> sorted(_between(range(100), last=99, size=2**26))
    [1, 98]
    """
    ends_between = [epoch for epoch in ends if 0 < epoch < last]
    wanted = min(EPOCHS_BETWEEN, BYTES_BETWEEN // size, len(ends_between))
    return {ends_between[round(place)] for place in (len(ends_between) - 1) * np.linspace(0, 1, wanted) ** 1.6}


def _advance(study: Study, samples: int, programs: list[Program], epochs: range, chunk: int) -> list[Tree]:
    """Shuffle for a chunk of epochs while the devices compute the one before, then hand it to them.

    Returns:
        each program's results, which may still be computed.
    """
    batches = [orders(study, samples, program.seeds, epochs) for program in programs]
    if len(epochs) < chunk:
        missing = [(0, chunk - len(epochs)), (0, 0), (0, 0), (0, 0)]
        batches = [np.pad(own, missing, constant_values=-1) for own in batches]
    kinds = _kinds(epochs, chunk)
    return [program.advance(kinds, own) for program, own in zip(programs, batches, strict=True)]


def _kinds(epochs: range, chunk: int) -> np.ndarray:
    """What to do in each epoch of a chunk: epoch 0 is only observed, what lies after the last is skipped.

    >>> _kinds(range(3), chunk=4).tolist() == [OBSERVE, TRAIN, TRAIN, SKIP]
    True
    """
    kinds = np.full(chunk, SKIP, np.int32)
    kinds[: len(epochs)] = [OBSERVE if epoch == 0 else TRAIN for epoch in epochs]
    return kinds


def _throughput(study: Study, samples: int, count: int, train_seconds: float) -> dict[str, float]:
    steps = study.epochs * -(-samples // study.batch)
    return {
        "members": count,
        "steps": steps,
        "net_steps_per_second": count * steps / train_seconds,
        "samples_per_second": count * study.epochs * samples / train_seconds,
        "train_seconds": train_seconds,
    }


@dataclass
class Collector:
    """Turns results of the devices into what the recording holds, and remembers who has diverged.

    Attributes:
        study: the complete study.
        programs: in the order of the populations, which is that of the members.
        counts: samples in each set of the evaluation, as in `program.Data`.
        writer: where it goes.
        alive: (members,), False from the first epoch on whose training loss is not finite.
        recorded: the last epoch of each chunk, and when it was written, in Unix seconds.
    """

    study: Study
    programs: list[Program]
    counts: np.ndarray
    writer: Writer
    alive: np.ndarray
    recorded: list[tuple[int, float]] = field(default_factory=list)

    @property
    def keeps_weights(self) -> bool:
        """Whether weights come with every epoch."""
        return all(program.keeps_weights for program in self.programs)

    def commit(self, epochs: range, results: list[Tree], first_seed: dict[str, np.ndarray] | None = None) -> int:
        """Wait for a chunk's results and write them; returns its last epoch.

        Args:
            epochs: the epochs they are of; rows after these belong to skipped ones.
            results: of each program, arrays (chunk, variants, seeds, ...) as `Program.advance` returns them.
            first_seed: the weights of the first seed after the last of the epochs, where they are kept.

        Raises:
            RecordingFailed: they cannot be written; nothing of the chunk is entered.
        """
        host = [
            self._by_member(program, found, len(epochs)) for program, found in zip(self.programs, results, strict=True)
        ]
        weights = [own.pop("weights", None) for own in host]
        arrays = {name: np.concatenate([own[name] for own in host], axis=1) for name in host[0]}
        metrics, by_class = self._metrics(arrays.pop("losses"), arrays.pop("correct"))
        diverged = self._mask(epochs, metrics, by_class)
        arrays["class_accuracy"] = by_class.astype(np.float32)
        if self.keeps_weights:
            arrays |= self._name_weights(weights)
        self.writer.commit(epochs[0], metrics, arrays, diverged)
        self.recorded.append((epochs[-1], time.time()))
        if first_seed is not None:
            self.writer.commit(epochs[-1], {}, first_seed, {}, kind="first-seed")
        return epochs[-1]

    def commit_weights(self, epoch: int) -> None:
        """Write the weights as they are now, as those of `epoch`. Raises RecordingFailed if they cannot be."""
        own = [_one_epoch(program.parameters()) for program in self.programs]
        self.writer.commit(epoch, {}, self._name_weights(own), {}, kind="weights")

    def first_weights(self) -> dict[str, np.ndarray]:
        """The first seed's weights as they are now, as `commit` takes them; waits for the devices."""
        return self._name_weights([_one_epoch(program.first_parameters()) for program in self.programs], seeds=1)

    def _by_member(self, program: Program, found: Tree, epochs: int) -> Tree:
        """(chunk, variants, seeds, ...) on devices -> (epochs, members, ...) in memory, filled-up seeds left out."""
        seeds = len(program.population.seeds)

        def convert(array: jax.Array) -> np.ndarray:
            kept = np.asarray(array)[:epochs, :, :seeds]
            return kept.reshape(epochs, -1, *kept.shape[3:])

        return jax.tree.map(convert, found)

    def _metrics(self, losses: np.ndarray, right: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        mean = losses[..., :3] / self.counts[:3]
        # A class may have no sample among those evaluated: its accuracy is not known.
        accuracy = right / np.where(self.counts > 0, self.counts, np.nan)
        parts = enumerate(("train", "validation", "test"))
        metrics = {}
        for i, part in parts:
            metrics |= {f"{part}_loss": mean[..., i].astype(float), f"{part}_accuracy": accuracy[..., i]}
        return {name: metrics[name] for name in METRICS}, accuracy[..., 3:]

    def _mask(self, epochs: range, metrics: dict[str, np.ndarray], by_class: np.ndarray) -> dict[int, tuple[int, str]]:
        """NaN from the first epoch on whose training loss is not finite; who diverged here, when and why."""
        diverged: dict[int, tuple[int, str]] = {}
        for row, epoch in enumerate(epochs):
            loss = metrics["train_loss"][row]
            for member in np.flatnonzero(self.alive & ~np.isfinite(loss)):
                what = "not a number" if np.isnan(loss[member]) else "infinite"
                diverged[int(member)] = (epoch, f"the training loss became {what}")
            self.alive &= np.isfinite(loss)
            for values in (*metrics.values(), by_class):
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
    return jax.tree.map(lambda array: array.reshape(1, -1, *array.shape[2:]), parameters)


def _commit_sample(writer: Writer, programs: list[Program], task: Task, study: Study) -> None:
    """Leave some training samples: feature spaces are drawn from them, and what networks predict is compared."""
    small = all(program.keeps_weights for program in programs)
    count = min(SAMPLES_OF_SMALL if small else SAMPLES_OF_LARGE, len(task.x_train))
    if small or count * math.prod(task.input_shape) <= SAMPLE_NUMBERS:
        chosen = np.random.default_rng([study.task_seed, 2]).permutation(len(task.x_train))[:count]
        sample = {"x": task.x_train[chosen][None, None], "y": task.y_train[chosen][None, None]}
        writer.commit(0, {}, sample, {}, kind="sample")


def _facts(study: Study, task: Task, groups: Any, data: Data) -> dict[str, Any]:
    from actlab.engine.layouts import choose

    networks = {name: network for population in groups for name, network in population.networks.items()}
    first = groups[0].network
    return {
        "weight_layers": first.weight_layers,
        "act_layers": first.act_layers,
        "classes": task.classes,
        "class_counts": data.counts[3:].tolist(),
        "test_class_counts": np.bincount(task.y_test, minlength=task.class_count).tolist(),
        "samples": {"train": len(task.x_train), "validation": len(task.x_validation), "test": len(task.x_test)},
        "input_shape": task.input_shape,
        "histogram_edges": measures.histogram_edges().tolist(),
        "gradient_edges": measures.gradient_edges().tolist(),
        "parameters": {name: networks[name].parameter_count for name in study.activations},
        "layout": {name: choose(networks[name]).name for name in study.activations},
        "versions": {name: version(name) for name in ("actlab", "jax", "jaxlib", "numpy", "optax")},
        "machine": devices.description(),
        "precision": str(task.x_train.dtype),
    }


def _card(name: str) -> dict[str, Any]:
    """What the views show of a function, sampled here so that they need neither the function nor JAX."""
    function = catalogue[name]
    card: dict[str, Any] = {
        "title": function.title,
        "formula": function.formula.plain,
        "latex": function.formula.latex,
        "family": function.family,
        "year": function.year,
        "source": function.source,
        "kind": function.kind,
        "facts": function.facts().to_dict(),
    }
    x = np.linspace(-6, 6, 241)
    curves = function.kind != "grouping"
    card["x"] = x.tolist() if curves else None
    card["value"] = function(x).tolist() if curves else None
    card["derivative"] = function.derivative(x).tolist() if curves else None
    return card
