"""The samples that members are observed on: those of the evaluation, with their sets, and the probe batch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from actlab.layers import Conv
from actlab.network import BuiltLayer
from actlab.objectives import PARTS, Objective, Spread, best_constant
from actlab.plan.population import Population
from actlab.study import Study, variants, weights_of
from actlab.tasks import Task

Arrays = dict[str, np.ndarray]

# Train metrics are taken on at most this many training samples, the same at every epoch: the whole of MNIST would cost
# a third of its training.
EVALUATION_SAMPLES = 5_000
# Evaluation runs in slices of which the widest layer takes at most this many numbers.
SLICE_NUMBERS = 2**25
# The outputs for the test samples are recorded where they are so many numbers at most, of all members: 128 MiB.
OUTPUT_NUMBERS = 2**25


@dataclass(frozen=True)
class Data:
    """The task as a program takes it, and what is needed to read its results.

    Attributes:
        training: x_train, y_train; where classes weigh differently also w_train, what each sample weighs.
        evaluation: x, y and membership of the samples of all three parts, one after the other; membership (samples,
            sets) of 0 and 1, in the order of `counts`; where the targets are classes also by_class (samples, 3), see
            `classes_alike`.
        probe: x, y, and likewise w, of the probe batch.
        counts: samples in each set of the evaluation: train, validation, test, then training samples by class.
        tested: where the test samples lie among those of the evaluation, in their own order.
        spread: of the targets where they are numbers, over the samples of the evaluation.
    """

    training: Arrays
    evaluation: Arrays
    probe: Arrays
    counts: np.ndarray
    tested: slice
    spread: Spread | None = None


def prepare(study: Study, task: Task) -> Data:
    """Choose evaluation and probe samples, by the task's seed.

    The first EVALUATION_SAMPLES and the first `study.probe_samples` of one random order of the training samples,
    all of the validation and test samples.
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
    tested = slice(len(x) - len(task.x_test), len(x))
    probe = {"x": task.x_train[probed], "y": task.y_train[probed]}
    training = {"x_train": task.x_train, "y_train": task.y_train}
    if (weights := weights_of(study, task)) is not None:
        labels = task.y_train.astype(np.intp)
        training["w_train"], probe["w"] = weights[labels], weights[labels[probed]]
    if not task.classes:
        evaluation = {"x": x, "y": y, "membership": sets.astype(np.float32)}
        return Data(training, evaluation, probe, sets.sum(axis=0, dtype=np.float64), tested, _spread(task, y, sets))
    by_class = (y[:, None] == np.arange(task.class_count)) & sets[:, :1]
    membership = np.concatenate([sets, by_class], axis=1).astype(np.float32)
    alike = np.stack([classes_alike(y, own, task.class_count) for own in sets.T], axis=-1)
    evaluation = {"x": x, "y": y, "membership": membership, "by_class": alike}
    return Data(training, evaluation, probe, membership.sum(axis=0, dtype=np.float64), tested)


def keeps_outputs(study: Study, outputs: int, samples: int) -> bool:
    """Whether the outputs for the test samples are recorded: members × samples × outputs ≤ OUTPUT_NUMBERS.

    Args:
        study: complete; its members are one for each variant and seed.
        outputs: of a network.
        samples: of the test part.
    """
    return len(variants(study)) * len(study.seeds) * samples * outputs <= OUTPUT_NUMBERS


def _spread(task: Task, y: np.ndarray, sets: np.ndarray) -> Spread | None:
    """What 1 of each target stands for, and how much each varies within every part; None where they are no numbers."""
    if task.targets is None:
        return None
    variances = np.stack([y[own].astype(float).var(axis=0) for own in sets.T])
    return Spread(np.array(task.targets.scales), variances)


def constant_answer(objective: Objective, data: Data, task: Task) -> dict[str, Any]:
    """What is to be had without looking at the input, where the targets are numbers or several labels.

    Args:
        objective: of these.
        data: made of the task.
        task: the data.

    Returns:
        `answer`, the best for the training loss, in the targets' units, or the share of each label; and each metric of
        each part, as "test_rmse", of always giving it; F1 scores of labels are those of the labels that score best.
    """
    assert objective.constant is not None
    answer = np.array([objective.constant(own.astype(float)) for own in task.y_train.T])
    x, y, sets = (data.evaluation[name] for name in ("x", "y", "membership"))
    outputs = np.tile(answer, (len(x), 1))
    told = answer * task.targets.scales + task.targets.means if task.targets else task.y_train.mean(axis=0)
    found: dict[str, Any] = {"answer": told.tolist()}
    for part, name in enumerate(PARTS):
        own = sets[:, part] > 0
        for metric in objective.metrics:
            best = best_constant(metric.name, told) if task.labels else None
            said = outputs[own] if best is None else np.tile(best, (int(own.sum()), 1))
            means = metric.score(said, y[own].astype(float), np, 1).mean(axis=0)
            value = float(metric.finish(means, data.spread, part) if metric.finish else means)
            # R² of a part in which a target does not vary is no number.
            found[f"{name}_{metric.name}"] = value if math.isfinite(value) else None
    return found


def classes_alike(y: np.ndarray, part: np.ndarray, classes: int) -> np.ndarray:
    """What each sample of a part weighs where all of its classes weigh alike; the weights' mean over the part is 1.

    Args:
        y: (samples,), indices of classes.
        part: (samples,), which of them are of the part; the others weigh nothing.
        classes: how many there are.

    >>> classes_alike(np.array([0, 0, 0, 1]), np.array([True, True, False, True]), 3).tolist()
    [0.75, 0.75, 0.0, 1.5]
    """
    counts = np.bincount(y[part], minlength=classes)
    weights = counts.sum() / np.maximum(np.count_nonzero(counts) * counts, 1)
    return np.where(part, weights[y], 0.0).astype(np.float32)


def sliced(evaluation: Arrays, population: Population, *, patches: bool) -> Arrays:
    """The evaluation in slices (slices, samples, ...) that fit memory; the padding of the last belongs to no set.

    Args:
        evaluation: as `Data.evaluation`.
        population: whose members see each slice at once.
        patches: whether a convolution with a stride makes patches of its input, as only a CPU's does.
    """
    samples = len(evaluation["x"])
    slices = _slice_count(samples, population, patches)
    return {name: _slices(array, slices, -samples % slices) for name, array in evaluation.items()}


def samples_at_once(samples: int, population: Population, *, patches: bool) -> int:
    """How many samples each of these slices holds; arguments as of `sliced`."""
    return -(-samples // _slice_count(samples, population, patches))


def _slice_count(samples: int, population: Population, patches: bool) -> int:
    widest = max(_numbers_per_sample(built, patches) for built in population.network.layers)
    members = len(population.variants) * len(population.seeds)
    return min(samples, -(-samples * widest * members // SLICE_NUMBERS))


def _numbers_per_sample(built: BuiltLayer, patches: bool) -> int:
    """Numbers that one sample takes in a layer: inputs, outputs, or patches."""
    weight = built.parameter_shapes.get("weight", (1, 1))
    has_patches = patches and isinstance(built.layer, Conv) and built.layer.stride > 1
    product = math.prod(built.output_shape[:-1]) * math.prod(weight[:-1]) if has_patches else 0
    return max(math.prod(built.input_shape), math.prod(built.output_shape), product)


def _slices(array: np.ndarray, slices: int, padding: int) -> np.ndarray:
    padded = np.concatenate([array, np.zeros((padding, *array.shape[1:]), array.dtype)])
    return padded.reshape(slices, -1, *array.shape[1:])
