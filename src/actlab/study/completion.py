"""What a study leaves open and its task decides."""

from __future__ import annotations

from typing import Any

from actlab.custom import CustomNetwork, TracedNetwork
from actlab.errors import InvalidNetwork, InvalidStudy, UnknownName
from actlab.layers import Act, Dense, Flatten
from actlab.network import expand, flat
from actlab.objectives import objective_for, outputs_for
from actlab.study.optimisers import usual_rate
from actlab.study.settings import Study
from actlab.tasks import Task, load


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
    network = study.network or _default_network(task)
    filled = study.model_copy(
        update={
            "network": network if isinstance(network, CustomNetwork) else expand(network),
            "learning_rates": study.learning_rates or (usual_rate(study.optimiser),),
            "batch": min(study.batch, len(task.x_train)),
            "provenance": task.provenance,
            "digest": task.digest,
        }
    )
    _check_outputs(filled, task)
    for milestone in study.milestones:
        if milestone.label is not None and milestone.label >= task.class_count:
            raise InvalidStudy(
                f"milestone {milestone.name!r}: there is no class {milestone.label}, the task has "
                f"{task.class_count}, counted from 0."
            )
    return filled


def _default_network(task: Task) -> tuple[Any, ...]:
    outputs, *_ = outputs_for(task.class_count)
    hidden = (Dense(128), Act(), Dense(128), Act(), Dense(outputs))
    return (Flatten(), *hidden) if len(task.input_shape) > 1 else hidden


def _check_outputs(study: Study, task: Task) -> None:
    classes = task.class_count
    allowed = outputs_for(classes)
    for network in study.networks(task.input_shape).values():
        if not network.weight_layers:
            raise InvalidNetwork("the network has no weights: nothing in it would learn.")
        if network.output_shape not in {(outputs,) for outputs in allowed}:
            last = "apply" if isinstance(network, TracedNetwork) else network.layers[-1].name
            raise InvalidNetwork(
                f"the network ends with {last} of output shape {network.output_shape}, but the task has "
                f"{classes} classes: end it with Dense({allowed[0]})."
            )
        names = [metric.name for metric in objective_for(network.output_shape[-1]).metrics]
        if study.metric is not None and study.metric not in names:
            raise UnknownName("metric", study.metric, names)
    if isinstance(study.network, CustomNetwork):
        if study.init != "stated":
            raise InvalidStudy(f"init {study.init!r} scales the weights of layers; {study.network} draws its own.")
        if study.match != "units":
            raise InvalidStudy(f"match {study.match!r} widens layers; {study.network} has widths of its own.")
    elif not any(isinstance(layer, Act) and layer.function is None for layer in flat(study.network or ())):
        raise InvalidNetwork("the network has no open Act(): nothing in it would differ between the activations.")
