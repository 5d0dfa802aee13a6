"""What a study leaves open and its task decides."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from actlab.custom import CustomNetwork, TracedNetwork
from actlab.errors import InvalidNetwork, InvalidStudy, UnknownName
from actlab.layers import Act, Dense, Flatten
from actlab.network import Network, expand, flat
from actlab.objectives import StatedLoss, objective_for, outputs_for
from actlab.study.optimisers import usual_rate
from actlab.study.settings import Study
from actlab.tasks import Task, kind_of, load
from actlab.tasks.reading import ARRAYS
from actlab.wording import counted


def load_task(study: Study) -> Task:
    """The data of a study: its task, as `actlab.tasks.load` gives it.

    Raises:
        InvalidData, UnknownName, DownloadFailed: as `actlab.tasks.load`.
    """
    return load(
        study.task, target=study.target, reading=study.reading, seed=study.task_seed, validation=study.validation
    )


def complete(study: Study, task: Task) -> Study:
    """The study with all filled in that depends on its task: network, learning rate, provenance, digest.

    Raises:
        InvalidStudy: the data are not those the study was made with, or a milestone's class does not exist.
        InvalidNetwork: the network does not fit the samples or the number of classes.
    """
    if study.digest not in (None, task.digest):
        raise InvalidStudy(
            f"the data of task {study.task!r} are not those of the study: SHA-256 is {task.digest}, expected "
            f"{study.digest}; remove `digest` from the study to run it on these."
        )
    _refuse_samples(study, task)
    loss = _loss_of(study, task)
    network = study.network or _default_network(task)
    filled = study.model_copy(
        update={
            "network": network if isinstance(network, CustomNetwork) else expand(network),
            "learning_rates": study.learning_rates or (usual_rate(study.optimiser),),
            "batch": min(study.batch, len(task.x_train)),
            "loss": loss,
            "provenance": task.provenance,
            "digest": task.digest,
        }
    )
    _check_outputs(filled, task)
    weights_of(filled, task)
    for milestone in study.milestones:
        if not task.classes and milestone.metric is None:
            raise InvalidStudy(
                f"milestone {milestone.name!r} waits for an accuracy, and the targets of task {study.task!r} are "
                f"{'labels' if task.labels else 'numbers'}: give it a metric and a value, as metric='rmse', value=1.0."
            )
        if milestone.label is not None and milestone.label >= task.class_count:
            raise InvalidStudy(
                f"milestone {milestone.name!r}: there is no class {milestone.label}, the task has "
                f"{task.class_count}, counted from 0."
            )
    return filled


def weights_of(study: Study, task: Task) -> npt.NDArray[np.float32] | None:
    """What each class weighs in training, (classes,), the mean over the training samples being 1; None for all alike.

    Balanced, a class weighs samples / (classes · its samples).

    Raises:
        InvalidStudy: the targets are numbers. UnknownName: there is no such class.
    """
    if study.class_weights is None:
        return None
    if not task.classes:
        raise InvalidStudy(
            f"class_weights are of classes, and the targets of task {study.task!r} are no such: leave it out."
        )
    counts = np.bincount(task.y_train, minlength=task.class_count)
    if study.class_weights == "balanced":
        weights = 1 / np.maximum(counts, 1)
    else:
        for name in study.class_weights:
            if name not in task.classes:
                raise UnknownName("class", name, task.classes)
        weights = np.array([study.class_weights.get(name, 1.0) for name in task.classes])
    return (weights * counts.sum() / (weights @ counts)).astype(np.float32)


def _refuse_samples(study: Study, task: Task) -> None:
    """Raise where the samples are not what the study says, or of a kind that layers do not take."""
    if task.holds_tokens != (study.layout == "tokens"):
        is_, say = ("are", 'say layout "tokens"') if task.holds_tokens else ("are no", "leave layout out")
        raise InvalidStudy(f"the samples of task {task.name!r} {is_} ids of tokens: {say}.")
    if isinstance(study.network, CustomNetwork):
        return
    way_out = "give a network of your own, as --set network=module:attribute (docs/own-networks.md)"
    if task.holds_tokens:
        raise InvalidNetwork(
            f"{task.name}: its samples are ids of tokens, which layers take for quantities: {way_out}, or leave layout "
            "out to take them for these."
        )
    if len(task.input_shape) not in (1, 3):
        raise InvalidNetwork(
            f"{task.name}: x_train has the shape {task.x_train.shape}, and layers take samples of (features,) or "
            f"(height, width, channels), not of {task.input_shape}: {way_out}"
            f"{', or leave layout out to take them for pictures' if study.layout == 'sequences' else ''}."
        )


def _networks(study: Study, task: Task) -> dict[str, Network | TracedNetwork]:
    """The network of each activation; where one of a user's own fails, with what else its samples may be."""
    try:
        return study.networks(task.input_shape)
    except InvalidNetwork as error:
        if not isinstance(study.network, CustomNetwork) or study.layout or kind_of(study.task) not in ARRAYS:
            raise
        hint = ""
        if task.input_shape[2:] == (1,):
            hint = f"--layout sequences gives samples of {task.input_shape[:2]}"
        elif len(task.input_shape) == 1 and (task.x_train == np.floor(task.x_train)).all():
            hint = "--layout tokens gives samples of whole numbers, if they are ids of tokens"
        if not hint:
            raise
        raise InvalidNetwork(f"{str(error).removesuffix('.')}; {hint}.") from error


def _default_network(task: Task) -> tuple[Any, ...]:
    outputs, *_ = _outputs_for(task)
    hidden = (Dense(128), Act(), Dense(128), Act(), Dense(outputs))
    return (Flatten(), *hidden) if len(task.input_shape) > 1 else hidden


def _outputs_for(task: Task) -> tuple[int, ...]:
    return outputs_for(task.class_count) if task.classes else (task.y_train.shape[1],)


def _loss_of(study: Study, task: Task) -> StatedLoss | None:
    """What the study's loss is filled in with; raises InvalidStudy where it is stated and does not fit the targets."""
    usual = "squared" if task.targets is not None else "labels" if task.labels else None
    fits = study.loss is None or (study.loss == usual if usual != "squared" else study.loss != "labels")
    if not fits:
        has = "several labels" if task.labels else "numbers" if task.targets is not None else "classes"
        of = "several labels" if study.loss == "labels" else "numbers"
        raise InvalidStudy(
            f"loss {study.loss!r} is of {of} as targets, and task {study.task!r} has {has}: leave it out"
            f"{', or say --objective regression where the classes are numbers' if kind_of(study.task) else ''}."
        )
    return study.loss or usual


def _check_outputs(study: Study, task: Task) -> None:
    allowed = _outputs_for(task)
    aim = f"{task.class_count} classes"
    if not task.classes:
        aim = counted(allowed[0], "label") if task.labels else f"{counted(allowed[0], 'number')} to predict"
    for network in _networks(study, task).values():
        if not network.weight_layers:
            raise InvalidNetwork("the network has no weights: nothing in it would learn.")
        if network.output_shape not in {(outputs,) for outputs in allowed}:
            last = "apply" if isinstance(network, TracedNetwork) else network.layers[-1].name
            raise InvalidNetwork(
                f"the network ends with {last} of output shape {network.output_shape}, but the task has "
                f"{aim}: end it with Dense({allowed[0]})."
            )
        objective = objective_for(network.output_shape[-1], study.loss)
        names = [metric.name for metric in objective.metrics]
        derived = [metric.name for metric in objective.derived]
        for milestone in study.milestones:
            if milestone.metric is not None and milestone.metric not in names:
                raise UnknownName("metric", milestone.metric, names)
        if study.metric is not None and study.metric not in (*names, *derived):
            raise UnknownName("metric", study.metric, (*names, *derived))
    if isinstance(study.network, CustomNetwork):
        if study.init != "stated":
            raise InvalidStudy(f"init {study.init!r} scales the weights of layers; {study.network} draws its own.")
        if study.match != "units":
            raise InvalidStudy(f"match {study.match!r} widens layers; {study.network} has widths of its own.")
    elif not any(isinstance(layer, Act) and layer.function is None for layer in flat(study.network or ())):
        raise InvalidNetwork("the network has no open Act(): nothing in it would differ between the activations.")
