"""The host's side of a run: chunk by chunk, one computed while the one before it is written."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from actlab.engine import devices
from actlab.engine.engines import Engine, Program, engine_of
from actlab.plan.batches import OBSERVE, SKIP, TRAIN, chunk_length, orders
from actlab.plan.cards import card_of
from actlab.plan.collector import Collector
from actlab.plan.evaluation import Data, constant_answer, prepare
from actlab.plan.population import members, populations
from actlab.recording import Claim, Recording, Writer
from actlab.recording.measures import EDGES
from actlab.study import Study, complete, load_task
from actlab.tasks import Task
from actlab.tasks.scale import scale_of

Tree = Any

# Training samples in a recording: small networks, whose every epoch can be drawn, leave more; of large ones at most
# so many numbers.
SAMPLES_OF_SMALL = 2000
SAMPLES_OF_LARGE = 256
SAMPLE_NUMBERS = 1_000_000
# Of large networks all weights are kept at both ends of the training, and in between those of the first seed at some
# epochs, for one to see how the layers come about: at most so many epochs and bytes.
EPOCHS_BETWEEN = 10
BYTES_BETWEEN = 2**27
# Of what was told of the data, so many sentences are kept.
MOST_NOTES = 20


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
    data = prepare(study, task)
    engine = engine_of(study)
    streamed = engine.streams(data, memory)
    chunk = 1 if streamed else min(chunk_length(study, population, len(task.x_train)) for population in groups)
    cards = {name: card_of(name) for name in study.activations}
    with engine.compiling() as compiling:
        programs = engine.build(study, data, groups, chunk, memory, streamed=streamed)
    facts = _facts(study, task, engine, programs, data) | {
        "tuning": tuning,
        "started": time.time(),
        "streamed": streamed,
    }
    writer = Writer.create(claim, study, members(groups), cards, programs[0].population.objective, **facts)
    try:
        return _train(study, task, engine, programs, data, writer, chunk, compiling.seconds, progress)
    finally:
        writer.close()


def _train(
    study: Study,
    task: Task,
    engine: Engine,
    programs: Sequence[Program],
    data: Data,
    writer: Writer,
    chunk: int,
    compile_seconds: float,
    progress: Callable[[Progress], None],
) -> Recording:
    samples = len(task.x_train)
    count = sum(len(program.population.variants) * len(program.population.seeds) for program in programs)
    objective = programs[0].population.objective
    targets, alive = data.evaluation["y"][data.tested], np.ones(count, bool)
    collector = Collector(objective, programs, data.counts, writer, alive, data.spread, targets)
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
            written = pool.submit(collector.commit, epochs, results, first_seed, epochs[-1] == study.epochs)
        engine.wait(results)
        train_seconds = time.perf_counter() - start
        if written is not None:
            show(written.result())
    if not collector.keeps_weights:
        collector.commit_weights(study.epochs)
    throughput = _throughput(study, samples, count, train_seconds) | {"compile_seconds": compile_seconds}
    writer.finish(throughput=throughput, recorded=collector.recorded)
    return Recording(writer.directory)


def _first_bytes(programs: Sequence[Program]) -> int:
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


def _advance(study: Study, samples: int, programs: Sequence[Program], epochs: range, chunk: int) -> list[Tree]:
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


def _commit_sample(writer: Writer, programs: Sequence[Program], task: Task, study: Study) -> None:
    """Leave some training samples: feature spaces are drawn from them, and what networks predict is compared."""
    small = all(program.keeps_weights for program in programs)
    count = min(SAMPLES_OF_SMALL if small else SAMPLES_OF_LARGE, len(task.x_train))
    if small or count * math.prod(task.input_shape) <= SAMPLE_NUMBERS:
        chosen = np.random.default_rng([study.task_seed, 2]).permutation(len(task.x_train))[:count]
        sample = {"x": task.x_train[chosen][None, None], "y": task.y_train[chosen][None, None]}
        writer.commit(0, {}, sample, {}, kind="sample")


def _facts(study: Study, task: Task, engine: Engine, programs: Sequence[Program], data: Data) -> dict[str, Any]:
    networks = {name: network for program in programs for name, network in program.population.networks.items()}
    layouts = {name: program.layout for program in programs for name in program.population.networks}
    first = programs[0].population.network
    return {
        "weight_layers": first.weight_layers,
        "act_layers": first.act_layers,
        "classes": task.classes,
        **_targets(task, programs, data),
        "data_notes": [note.sentence for note in task.report.notes][:MOST_NOTES] if task.report else [],
        "samples": {"train": len(task.x_train), "validation": len(task.x_validation), "test": len(task.x_test)},
        "input_shape": task.input_shape,
        "inputs": None if task.holds_tokens else scale_of(task.x_train),
        **{name: edges().tolist() for name, edges in EDGES.items()},
        "parameters": {name: networks[name].parameter_count for name in study.activations},
        "layout": {name: layouts[name] for name in study.activations},
        "engine": engine.name,
        "versions": {name: version(name) for name in engine.packages},
        "machine": engine.machine(),
        "precision": programs[0].precision,
        **engine.facts(study, programs),
    }


def _targets(task: Task, programs: Sequence[Program], data: Data) -> dict[str, Any]:
    """How many samples each class has; or which numbers or labels there are, and what is had without the input."""
    if task.classes:
        test = np.bincount(task.y_test, minlength=task.class_count).tolist()
        return {"class_counts": data.counts[3:].tolist(), "test_class_counts": test}
    constant = constant_answer(programs[0].population.objective, data, task)
    if task.targets is None:
        ones = [1.0] * len(task.labels)
        return {"targets": task.labels, "target_means": [0.0] * len(ones), "target_scales": ones, "constant": constant}
    scaled = {"target_means": task.targets.means, "target_scales": task.targets.scales}
    return {"targets": task.targets.names, **scaled, "constant": constant}
