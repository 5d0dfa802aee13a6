"""The settings of a study: validated when it is made, completed for its data."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from actlab.errors import InvalidNetwork, InvalidStudy, UnknownName, complaint
from actlab.functions import catalogue
from actlab.layers import Act, Dense, Flatten, Layer, names_as_recorded
from actlab.network import Network, build, expand, matching_parameters
from actlab.tasks import Task

EIGHT = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "mish")
MOST_SEEDS = 100_000
Location = tuple[int | str, ...]
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
Count = Annotated[int, Field(ge=1, lt=2**31, strict=True)]
Share = Annotated[float, Field(ge=0, lt=1, strict=True)]
Positive = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SGD(_Frozen):
    """Stochastic gradient descent: v ← momentum·v + gradient, w ← w − learning_rate·v."""

    name: Literal["sgd"] = "sgd"
    momentum: Share = 0.0


class Adam(_Frozen):
    """Adam (Kingma & Ba 2015, arXiv 1412.6980)."""

    name: Literal["adam"] = "adam"
    beta1: Share = 0.9
    beta2: Share = 0.999
    epsilon: Positive = 1e-8


class AdamW(_Frozen):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101)."""

    name: Literal["adamw"] = "adamw"
    beta1: Share = 0.9
    beta2: Share = 0.999
    epsilon: Positive = 1e-8
    weight_decay: Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)] = 0.01


class RMSProp(_Frozen):
    """RMSProp (Tieleman & Hinton 2012, lecture 6.5).

    w ← w − learning_rate·gradient / √(running mean of gradient² + ε)
    """

    name: Literal["rmsprop"] = "rmsprop"
    decay: Share = 0.9
    epsilon: Positive = 1e-8


OPTIMISERS = {"sgd": SGD, "adam": Adam, "adamw": AdamW, "rmsprop": RMSProp}


def _optimiser_by_name(value: Any) -> Any:
    name = value.get("name") if isinstance(value, dict) else value
    if isinstance(name, str) and name not in OPTIMISERS:
        raise UnknownName("optimiser", name, OPTIMISERS)
    return {"name": value} if isinstance(value, str) else value


Optimiser = Annotated[
    Annotated[SGD | Adam | AdamW | RMSProp, Discriminator("name")], BeforeValidator(_optimiser_by_name)
]


class Milestone(_Frozen):
    """A point of training to wait for: the first epoch at which training accuracy reaches `accuracy`.

    `label` restricts it to the samples of one class, by its index. A start at that accuracy, as of a network
    that calls everything negative, counts only if it is never lost.
    """

    name: str
    accuracy: Annotated[float, Field(gt=0, le=1, strict=True)] = 1.0
    label: Annotated[int, Field(ge=0, strict=True)] | None = None


class Study(_Frozen):
    """Task × network × training settings × activations × learning rates × seeds.

    Args:
        name: the recipe's name, or one of your own.
        task: a built-in task, or the path of an .npz or .csv file.
        target: for a .csv file, the column with the classes.
        task_seed: seed of the split into training, validation and test data, where the source has none.
        network: layers from input to output; None for two hidden layers of 128 units that suit the task.
        activations: names from the catalogue.
        learning_rates: every activation is trained with each; the reported one is chosen on validation data.
            None for the optimiser's usual one (0.001; 0.05 for sgd).
        seeds: how many, or which. A seed decides initial weights, order of the data and dropout, for all
            activations alike.
        tuning_seeds: seeds used to choose among several learning rates and for nothing else; by default the
            three after the largest seed.
        epochs: passes through the training data.
        batch: samples in a training step; the last batch of an epoch may be smaller.
        optimiser: "sgd", "adam", "adamw", "rmsprop", or one with its settings.
        match: what is held equal for functions that change the width (maxout): "units" or "parameters".
        probe_samples: training samples on which the probes look, the same at every epoch.
        milestones: points of training to wait for.
        provenance, digest: where the data came from and their SHA-256, filled in when the study is run.

    Raises:
        InvalidStudy: a wrong key, type or range. UnknownName: a misspelt activation, layer or optimiser.
    """

    name: Annotated[str, Field(min_length=1)] = "study"
    task: Annotated[str, Field(min_length=1)] = "digits"
    target: str | None = None
    task_seed: Seed = 0
    network: Annotated[tuple[Layer, ...], Field(min_length=1)] | None = None
    activations: Annotated[tuple[str, ...], Field(min_length=1)] = EIGHT
    learning_rates: Annotated[tuple[Positive, ...], Field(min_length=1)] | None = None
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = tuple(range(10))
    tuning_seeds: tuple[Seed, ...] = ()
    epochs: Count = 40
    batch: Count = 32
    optimiser: Optimiser = Adam()
    match: Literal["units", "parameters"] = "units"
    probe_samples: Count = 128
    milestones: tuple[Milestone, ...] = ()
    provenance: str | None = None
    digest: str | None = None

    def __init__(self, /, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise _invalid(error, settings) from None

    @field_validator("network", mode="before")
    @classmethod
    def _known_layers(cls, layers: Any) -> Any:
        for layer in layers if isinstance(layers, (list, tuple)) else ():
            name = layer.get("layer") if isinstance(layer, dict) else None
            if isinstance(name, str) and name not in LAYERS:
                raise UnknownName("layer", name, LAYERS)
        return layers

    @field_validator("network")
    @classmethod
    def _known_functions(cls, layers: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        expand(layers or ())
        return layers

    @field_validator("activations", mode="before")
    @classmethod
    def _known_activations(cls, names: Any) -> Any:
        if isinstance(names, str):
            names = [name.strip() for name in names.split(",") if name.strip()]
        if not isinstance(names, (list, tuple)):
            return names
        if names_as_recorded.get():
            return names
        canonical = [catalogue[name].name if isinstance(name, str) else name for name in names]
        _refuse_repetition(canonical)
        return canonical

    @field_validator("seeds", mode="before")
    @classmethod
    def _number_of_seeds(cls, seeds: Any) -> Any:
        if isinstance(seeds, int) and not isinstance(seeds, bool):
            if not 1 <= seeds <= MOST_SEEDS:
                raise ValueError(f"a number of seeds from 1 to {MOST_SEEDS:,} is expected, got {seeds}")
            return range(seeds)
        if not isinstance(seeds, Sequence) or isinstance(seeds, str):
            raise ValueError(f"a whole number, or a list of them, is expected, got {seeds!r}")
        _refuse_repetition(seeds)
        return seeds

    @field_validator("learning_rates", mode="before")
    @classmethod
    def _one_or_many_rates(cls, rates: Any) -> Any:
        rates = [rates] if isinstance(rates, (int, float)) else rates
        _refuse_repetition(rates)
        return rates

    @model_validator(mode="before")
    @classmethod
    def _default_tuning_seeds(cls, settings: dict[str, Any]) -> dict[str, Any]:
        rates, seeds = settings.get("learning_rates"), settings.get("seeds", 10)
        if settings.get("tuning_seeds") or not isinstance(rates, Sequence) or len(rates) < 2:
            return settings
        whole = isinstance(seeds, Sequence) and all(isinstance(seed, int) for seed in seeds)
        if not whole and not isinstance(seeds, int):
            return settings  # Refused as seeds.
        taken = set(range(min(seeds, MOST_SEEDS)) if isinstance(seeds, int) else seeds)
        after = itertools.chain(range(max(taken, default=0) + 1, 2**32), itertools.count())
        free = (seed for seed in after if seed not in taken)
        return settings | {"tuning_seeds": tuple(itertools.islice(free, 3))}

    @model_validator(mode="after")
    def _separate_tuning_seeds(self) -> Study:
        if shared := set(self.seeds) & set(self.tuning_seeds):
            numbers = ", ".join(map(str, sorted(shared)))
            raise ValueError(f"seeds and tuning_seeds share {numbers}: the report must not use a seed of tuning")
        return self

    @property
    def identity(self) -> str:
        """SHA-256 of the study as TOML: two studies are the same if this is."""
        return hashlib.sha256(self.to_toml().encode()).hexdigest()

    def to_toml(self) -> str:
        """The study as the text of a TOML file; `actlab.study.from_toml` reads it back."""
        import tomli_w

        settings = self.model_dump(mode="json")
        return tomli_w.dumps(_without_none(settings))

    def network_for(self, activation: str, input_shape: tuple[int, ...]) -> Network:
        """The network of one activation, with `match` applied where the function changes the width."""
        if self.network is None:
            raise InvalidStudy("the study has no network yet: complete it for its task first.")
        function, layers = catalogue[activation], self.network
        if self.match == "parameters" and function.inputs_per_unit() != 1:
            budget = build(layers, input_shape, "linear").parameter_count
            layers = matching_parameters(layers, input_shape, function, budget)
        return build(layers, input_shape, function)

    def networks(self, input_shape: tuple[int, ...]) -> dict[str, Network]:
        """The network of each activation."""
        return {name: self.network_for(name, input_shape) for name in self.activations}


LAYERS: Mapping[str, Any] = {layer.layer: layer for layer in get_args(get_args(Layer)[0])}


def _refuse_repetition(values: Any) -> None:
    seen: list[Any] = []
    for value in values if isinstance(values, (list, tuple)) else ():
        if value in seen:
            raise ValueError(f"{value!r} is named twice")
        seen.append(value)


def _without_none(value: Any) -> Any:
    """TOML has no null: a setting that is None is left out, which reads back as None."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


def _invalid(error: ValidationError, settings: Mapping[str, Any]) -> InvalidStudy:
    """What pydantic complains of first, in one sentence, with the place of the setting."""
    problems = error.errors()
    # An unknown key is often the misspelt one that another complaint misses.
    unknown = [p for p in problems if p["type"] in ("extra_forbidden", "unexpected_keyword_argument")]
    problem: dict[str, Any] = dict((unknown or problems)[0])
    location, wrong = _followed(problem["loc"], settings), problem["loc"][-1:]
    if problem["type"] == "missing":
        return InvalidStudy(complaint(problem | {"loc": (*location, *wrong)}), location)
    if not unknown:
        return InvalidStudy(complaint(problem | {"loc": location}), location)
    sentence = str(UnknownName("key", str(wrong[0]), _keys(location[:-1], settings)))
    where = complaint({"loc": location[:-1], "type": "value_error", "msg": sentence})
    return InvalidStudy(where.removesuffix(".") if sentence.endswith("?") else where, location)


def _followed(location: Location, settings: Any) -> Location:
    """The part of pydantic's location that leads through the settings: without its names of alternatives."""
    path: list[int | str] = []
    for part in location:
        try:
            settings = settings[part]
        except (KeyError, IndexError, TypeError):
            continue
        path.append(part)
    return tuple(path)


def _keys(location: Location, settings: Any) -> list[str]:
    """The keys that the table at a location of the settings may have."""
    for part in location:
        settings = settings[part]
    if not location:
        return list(Study.model_fields)
    if location[0] == "network":
        return [field.name for field in dataclasses.fields(LAYERS[settings["layer"]])]
    kind = OPTIMISERS[settings["name"]] if location[0] == "optimiser" else Milestone
    return list(kind.model_fields)


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
    layers = expand(study.network or _default_network(task))
    rate = 0.05 if study.optimiser.name == "sgd" else 0.001
    filled = study.model_copy(
        update={
            "network": layers,
            "learning_rates": study.learning_rates or (rate,),
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
    outputs = 1 if task.class_count == 2 else task.class_count
    hidden = (Dense(128), Act(), Dense(128), Act(), Dense(outputs))
    return (Flatten(), *hidden) if len(task.input_shape) > 1 else hidden


def _check_outputs(study: Study, task: Task) -> None:
    classes = task.class_count
    allowed = {(classes,), (1,)} if classes == 2 else {(classes,)}
    for network in study.networks(task.input_shape).values():
        last = network.sites[-1]
        if not network.weight_layers:
            raise InvalidNetwork("the network has no Dense and no Conv: nothing in it would learn.")
        if last.output_shape not in allowed:
            raise InvalidNetwork(
                f"the network ends with {last.name} of output shape {last.output_shape}, but the task has "
                f"{classes} classes: end it with Dense({1 if classes == 2 else classes})."
            )
    if not any(isinstance(layer, Act) and layer.function is None for layer in study.network or ()):
        raise InvalidNetwork("the network has no open Act(): nothing in it would differ between the activations.")
