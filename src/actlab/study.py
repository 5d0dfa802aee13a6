"""A study: what is compared, on which data, how the networks are trained, and by which seeds.

A study is data: validated when it is made, saved as TOML, and complete enough to be run again years later.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from actlab.errors import InvalidNetwork, InvalidStudy, UnknownName, complaint
from actlab.functions import catalogue
from actlab.network import Act, Dense, Flatten, Layer, Network, build, expand, matching_parameters
from actlab.tasks import Task

EIGHT = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "mish")
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
Share = Annotated[float, Field(ge=0, lt=1)]


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
    epsilon: PositiveFloat = 1e-8


class AdamW(_Frozen):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv 1711.05101)."""

    name: Literal["adamw"] = "adamw"
    beta1: Share = 0.9
    beta2: Share = 0.999
    epsilon: PositiveFloat = 1e-8
    weight_decay: Annotated[float, Field(ge=0)] = 0.01


class RMSProp(_Frozen):
    """RMSProp (Tieleman & Hinton 2012, lecture 6.5): w ← w − learning_rate·gradient / √(running mean of gradient² + ε)."""

    name: Literal["rmsprop"] = "rmsprop"
    decay: Share = 0.9
    epsilon: PositiveFloat = 1e-8


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

    `label` restricts it to the samples of one class, by its index. A start at that accuracy, as of a network that
    calls everything negative, counts only if it is never lost.
    """

    name: str
    accuracy: Annotated[float, Field(gt=0, le=1)] = 1.0
    label: Annotated[int, Field(ge=0)] | None = None


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
        tuning_seeds: seeds used to choose among several learning rates and for nothing else; by default the three
            after the largest seed.
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
    learning_rates: Annotated[tuple[PositiveFloat, ...], Field(min_length=1)] | None = None
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = tuple(range(10))
    tuning_seeds: tuple[Seed, ...] = ()
    epochs: Annotated[int, Field(ge=1, strict=True)] = 40
    batch: PositiveInt = 32
    optimiser: Optimiser = Adam()
    match: Literal["units", "parameters"] = "units"
    probe_samples: PositiveInt = 128
    milestones: tuple[Milestone, ...] = ()
    provenance: str | None = None
    digest: str | None = None

    def __init__(self, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise InvalidStudy(_sentence(error)) from None

    @field_validator("network", mode="before")
    @classmethod
    def _known_layers(cls, layers: Any) -> Any:
        known = ("dense", "act", "conv", "max_pool", "flatten", "dropout")
        for layer in layers or ():
            name = layer.get("layer") if isinstance(layer, dict) else None
            if isinstance(name, str) and name not in known:
                raise UnknownName("layer", name, known)
        return layers

    @field_validator("activations", mode="before")
    @classmethod
    def _known_activations(cls, names: Any) -> Any:
        if isinstance(names, str):
            names = [name.strip() for name in names.split(",")]
        canonical = [catalogue[name].name if isinstance(name, str) else name for name in names]
        _refuse_repetition("activations", canonical)
        return canonical

    @field_validator("seeds", mode="before")
    @classmethod
    def _number_of_seeds(cls, seeds: Any) -> Any:
        if not isinstance(seeds, int) or isinstance(seeds, bool):
            _refuse_repetition("seeds", seeds)
            return seeds
        if seeds < 1:
            raise ValueError(f"at least 1 seed is needed, got {seeds}")
        return range(seeds)

    @field_validator("learning_rates", mode="before")
    @classmethod
    def _one_or_many_rates(cls, rates: Any) -> Any:
        rates = [rates] if isinstance(rates, (int, float)) else rates
        _refuse_repetition("learning_rates", rates or ())
        return rates

    @model_validator(mode="before")
    @classmethod
    def _default_tuning_seeds(cls, settings: dict[str, Any]) -> dict[str, Any]:
        rates, seeds = settings.get("learning_rates"), settings.get("seeds", 10)
        if settings.get("tuning_seeds") or not isinstance(rates, Sequence) or len(rates) < 2:
            return settings
        first = seeds if isinstance(seeds, int) else max(seeds, default=0) + 1
        return settings | {"tuning_seeds": tuple(range(first, first + 3))}

    @model_validator(mode="after")
    def _separate_tuning_seeds(self) -> Study:
        if shared := set(self.seeds) & set(self.tuning_seeds):
            raise ValueError(f"seeds {sorted(shared)} are both seeds and tuning_seeds: the report must not reuse them")
        return self

    @property
    def identity(self) -> str:
        """SHA-256 of the study as TOML: two studies are the same if this is."""
        return hashlib.sha256(self.to_toml().encode()).hexdigest()

    def to_toml(self) -> str:
        """The study as the text of a TOML file; `from_toml` reads it back."""
        import tomli_w

        settings = self.model_dump(mode="json")
        return tomli_w.dumps(_without_none(settings))

    def networks(self, input_shape: tuple[int, ...]) -> dict[str, Network]:
        """The network of each activation, with `match` applied where a function changes the width."""
        if self.network is None:
            raise InvalidStudy("the study has no network yet: complete it for its task first.")
        studied = {name: catalogue[name] for name in self.activations}
        budget = build(self.network, input_shape, "linear").parameter_count
        found = {}
        for name, activation in studied.items():
            layers = self.network
            if self.match == "parameters" and activation.inputs_per_unit() != 1:
                layers = matching_parameters(layers, input_shape, activation, budget)
            found[name] = build(layers, input_shape, activation)
        return found


def _refuse_repetition(key: str, values: Any) -> None:
    repeated = [value for value in values if list(values).count(value) > 1] if isinstance(values, Sequence) else []
    if repeated:
        raise ValueError(f"{repeated[0]!r} is named twice in {key}")


def _without_none(value: Any) -> Any:
    """TOML has no null: a setting that is None is left out, which reads back as None."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


def _sentence(error: ValidationError) -> str:
    """The first complaint of pydantic as one sentence."""
    first = error.errors()[0]
    if first["type"] != "extra_forbidden":
        return complaint(first)
    place = ".".join(str(part) for part in first["loc"])
    return str(UnknownName("key", place, Study.model_fields)) if len(first["loc"]) == 1 else f"unknown key {place!r}."


def from_toml(path: str | Path) -> Study:
    """Read a study file.

    Raises:
        InvalidStudy: no such file, no TOML, a wrong key, type or range; the message names key and line.
        UnknownName: a misspelt activation, layer or optimiser.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        settings = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidStudy(f"{path}: cannot be read as a study ({reason}).") from None
    try:
        return Study.model_validate(settings)
    except ValidationError as error:
        line = _line_of(text, error.errors()[0]["loc"])
        raise InvalidStudy(f"{path}, line {line}: {_sentence(error)}") from None
    except UnknownName as error:
        wrong = re.search(r"'([^']*)'", str(error))
        line = next((i for i, row in enumerate(text.splitlines(), 1) if wrong and wrong[1] in row), 1)
        raise InvalidStudy(f"{path}, line {line}: {error}") from None


def _line_of(text: str, location: tuple[int | str, ...]) -> int:
    """Line of a key in TOML text: the deepest named part of `location`, looked for under its own table header."""
    keys = [part for part in location if isinstance(part, str) and re.fullmatch(r"[\w-]+", part)]
    wanted_table = next((part for part in location if isinstance(part, int)), 0)
    table, entry, best = "", -1, 1
    for number, row in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([\w.-]+)\s*\]+", row):
            entry = entry + 1 if header[1] == table else 0
            table = header[1]
            if keys and table == keys[0] and entry == wanted_table:
                best = number
        elif key := re.match(r"\s*([\w-]+)\s*=", row):
            inside = bool(keys) and table == keys[0] and entry == wanted_table
            if key[1] in keys and (inside or (not table and key[1] == keys[0])):
                best = number
    return best


def complete(study: Study, task: Task) -> Study:
    """The study with everything filled in that depends on its task: network, learning rate, provenance, digest.

    Raises:
        InvalidStudy: the data are not those the study was made with, or a milestone's class does not exist.
        InvalidNetwork: the network does not fit the samples or the number of classes.
    """
    if study.digest not in (None, task.digest):
        raise InvalidStudy(
            f"the data of task {study.task!r} have changed: SHA-256 is {task.digest}, the study was made with "
            f"{study.digest}. Remove `digest` from the study to run it on the new data."
        )
    layers = expand(study.network or _default_network(task))
    rate = 0.05 if study.optimiser.name == "sgd" else 0.001
    filled = study.model_copy(
        update={
            "network": layers,
            "learning_rates": study.learning_rates or (rate,),
            "provenance": task.provenance,
            "digest": task.digest,
        }
    )
    _check_outputs(filled, task)
    for milestone in study.milestones:
        if milestone.label is not None and milestone.label >= task.class_count:
            raise InvalidStudy(f"milestone {milestone.name!r}: class {milestone.label} of {task.class_count} does not exist.")
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
        if last.output_shape not in allowed:
            raise InvalidNetwork(
                f"the network ends with {last.name} of output shape {last.output_shape}, but the task has {classes} "
                f"classes: end it with Dense({1 if classes == 2 else classes})."
            )
    if not any(isinstance(layer, Act) and layer.function is None for layer in study.network or ()):
        raise InvalidNetwork("the network has no open Act(): nothing in it would differ between the activations.")
