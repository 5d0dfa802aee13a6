"""The settings of a study: validated when it is made, completed for its data."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    WrapSerializer,
    WrapValidator,
    field_validator,
    model_validator,
)

from actlab.custom import CustomNetwork, TracedNetwork, as_recorded, custom_network, is_custom, trace
from actlab.errors import InvalidStudy, UnknownName, shortened
from actlab.functions import activation_named, catalogue
from actlab.functions.variants import split_names
from actlab.layers import Layer, names_as_recorded
from actlab.network import Network, build, expand, matching_parameters
from actlab.objectives import StatedLoss
from actlab.study.complaints import Location, invalid_study
from actlab.study.optimisers import OPTIMISERS, Adam, Frozen, Optimiser, Positive, rates_around, usual_rate
from actlab.study.own_code import functions_in, import_functions, registered, source_digests
from actlab.study.seeds import FEWEST_AUTO, MOST_AUTO, MOST_SEEDS, looks_until, seeds_after
from actlab.tasks.reading import Aim, Classes, Decimal, Header, Layout, Reading

DEFAULT_ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "mish")
# Blocks within blocks. Nobody builds fifty, and Python's own limit for calls within calls comes not long after.
DEEPEST = 50
#: How a comment begins in a study file that names functions of a user's own.
OWN_FUNCTIONS = "# Registered in Python, whose code is not in this file: "
_HOW_TO_RUN = (
    "# Register them again with actlab.register, then run the study from Python:\n"
    '# from actlab.study import from_toml; actlab.run(from_toml("study.toml"), "NEW_DIR")'
)
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
Count = Annotated[int, Field(ge=1, lt=2**31, strict=True)]


def _layers_or_own(value: Any, layers: Any) -> Any:
    if value is None or isinstance(value, CustomNetwork):
        return value
    if not is_custom(value):
        return layers(value)
    return as_recorded(value) if isinstance(value, str) and names_as_recorded.get() else custom_network(value)


def _layers_or_name(value: Any, layers: Any) -> Any:
    return str(value) if isinstance(value, CustomNetwork) else layers(value)


AnyNetwork = Annotated[
    tuple[Layer, ...], Field(min_length=1), WrapValidator(_layers_or_own), WrapSerializer(_layers_or_name)
]


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _scale(value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if value != "none" and not (number and 0 < value < 1e38):
        raise ValueError(f"a number above 0, or 'none', is expected, got {shortened(value)}")
    return value


def _class_weights(value: Any) -> Any:
    numbers = (
        isinstance(value, Mapping)
        and value
        and all(
            isinstance(weight, (int, float)) and not isinstance(weight, bool) and 0 < weight < 1e30
            for weight in value.values()
        )
    )
    if value != "balanced" and not numbers:
        raise ValueError(f"'balanced', or a number above 0 for classes by name is expected, got {shortened(value)}")
    return value


Columns = Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(_one_or_many)]


class Milestone(Frozen):
    """A point of training to wait for: the first epoch at which training accuracy reaches `accuracy`.

    `label` restricts it to the samples of one class, by its index. A start at that accuracy, as of a network
    that calls everything negative, counts only if it is never lost. With `metric` and `value` it is the first epoch at
    which that metric, as "rmse", is as good on the training data.

    >>> Milestone(name="within 5", metric="rmse", value=5.0).value
    5.0
    """

    name: str
    accuracy: Annotated[float, Field(gt=0, le=1, strict=True)] = 1.0
    label: Annotated[int, Field(ge=0, strict=True)] | None = None
    metric: str | None = None
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _check_metric(self) -> Milestone:
        if (self.metric is None) != (self.value is None):
            raise ValueError("a metric and its value go together")
        if self.metric is not None and (self.label is not None or self.accuracy != 1.0):
            raise ValueError("either an accuracy, perhaps of one class, or a metric and its value")
        return self


# What of a study may be more or less without another training of each member.
EXTENT = ("activations", "learning_rates", "seeds", "epochs")


class Study(Frozen):
    """Task × network × training settings × activations × learning rates × seeds.

    Args:
        name: the recipe's name, or one of your own.
        task: a built-in task, or the path of a table, of arrays, or of a folder of pictures.
        target: for a table, the column to be learnt, by name or number; several of numbers, joined by commas.
        objective: whether the target of a table or of arrays names "classes", is a quantity ("regression"), or says
            which of several "labels" a sample has.
        header: likewise, where it is in doubt, whether its first row names the columns ("yes") or is data ("no").
        classes: likewise, whether each of the target's "texts" is a class, or each of its "numbers"; "fold" makes one
            class of texts that differ in case or blanks.
        keep, drop: columns to train on although they would be left out; columns to leave out.
        categorical: columns whose values are names of categories, even if they are numbers.
        group, time: a column whose alike rows come into one part; one by which later rows are tested on.
        test: the path of a second table, or of further arrays, which is the test part.
        separator, decimal, encoding, sheet: how the table is written; see `actlab.tasks.Reading`.
        missing: what its cells hold, besides the usual words, that say that nothing is known, as "-999".
        layout, scale: for arrays, likewise, whether pictures are "channels-first" or "channels-last", samples
            "samples-first" or "samples-last", or no pictures but "sequences" or "tokens"; and what they are divided
            by, or "none".
        size: to how many pixels, in height and width, the pictures of a folder are brought.
        task_seed: seed of the split into training, validation and test data, where the source has none.
        network: layers from input to output; None for two hidden layers of 128 units that suit the task. Or a network
            of your own: an object with `init` and `apply` or a pair of these in JAX, a class or function that builds a
            torch.nn.Module, or the "module:attribute" of it; see `actlab.custom`.
        activations: names from the catalogue, with parameters or without: "leaky_relu(negative_slope=0.2)" is a
            function of its own; or the "module:attribute" of one of yours, see `actlab.functions.import_activation`.
        learning_rates: one, or several of which each activation gets its best: chosen on validation data with the
            tuning seeds, and looked for beyond an end of the list where the best one lies there. "auto" for five
            around the stated rate, a factor √10 apart. None for the optimiser's usual one (0.001; 0.05 for sgd).
        stated_rate: with several learning rates, the one that all activations are also compared at.
        init: "stated" for the initial weights that the layers state; "gain" and "critical" compare also from weights
            that suit each function: scaled by its gain, or at its mean-field critical point.
        validation: "held-out" for validation data cut from the source's training data; "test" for training on all
            of these and validating on the test data, as many published experiments do: nothing is chosen on it.
        seeds: how many, or which. A seed decides initial weights, order of the data and dropout, for all
            activations alike. "auto" adds seeds until one activation alone may be the best, or `most_seeds` are
            trained, or those that may be the best lie `within` so many points of each other.
        most_seeds, within: where the adding of seeds ends, at least one of the two; see
            `actlab.laboratory.sequential`. `within` is in points of a share as the accuracy, or the unit of another
            metric that leads. `seeds` are then those that were trained.
        tuning_seeds: seeds that serve the choice among several learning rates and nothing else; by default the
            three after the largest seed.
        epochs: passes through the training data.
        batch: samples in a training step; the last batch of an epoch may be smaller.
        optimiser: "sgd", "adam", "adamw", "rmsprop", or one with its settings.
        loss: of numbers as targets, what training makes small: the "squared" error, where None, the "absolute" one or
            "huber", whose slope stays that of one standard deviation for larger ones; "labels" is filled in where a
            sample has several. None for classes.
        class_weights: what a sample's loss weighs in training, by its class: "balanced" for classes that weigh alike,
            however many samples they have, or a number for each class that is not to weigh 1; scaled so that the
            training samples weigh 1 on average. Losses are recorded without them.
        match: what is held equal for functions that change the width (maxout): "units" or "parameters".
        metric: by which activations are ranked and compared, of those that are recorded, as "accuracy", "loss" or
            "brier", or derived from the outputs after the last epoch, as "roc_auc"; accuracy where None, balanced
            accuracy where one class is most of the samples, and of numbers as targets "rmse".
        probe_samples: training samples on which the probes look, the same at every epoch.
        milestones: points of training to wait for.
        chosen_rates: by kind of initial weights and activation, the learning rate that was chosen of several;
            filled in when the study is run.
        provenance, digest: where the data came from and their SHA-256, likewise.
        source_digests: SHA-256 of the source of functions named "module:attribute", as it is now; filled in.

    Raises:
        InvalidStudy: a wrong key, type or range. UnknownName: a misspelt activation, layer or optimiser.
    """

    name: Annotated[str, Field(min_length=1)] = "study"
    task: Annotated[str, Field(min_length=1)] = "digits"
    target: str | None = None
    objective: Aim | None = None
    header: Header | None = None
    classes: Classes | None = None
    keep: Columns | None = None
    drop: Columns | None = None
    layout: Layout | None = None
    scale: Annotated[float | Literal["none"], BeforeValidator(_scale)] | None = None
    size: Count | None = None
    categorical: Columns | None = None
    group: str | None = None
    time: str | None = None
    test: str | None = None
    separator: str | None = None
    decimal: Decimal | None = None
    encoding: str | None = None
    sheet: str | None = None
    missing: Columns | None = None
    task_seed: Seed = 0
    validation: Literal["held-out", "test"] = "held-out"
    network: AnyNetwork | None = None
    activations: Annotated[tuple[str, ...], Field(min_length=1)] = DEFAULT_ACTIVATIONS
    learning_rates: Annotated[tuple[Positive, ...], Field(min_length=1)] | None = None
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = tuple(range(10))
    most_seeds: Annotated[int, Field(ge=FEWEST_AUTO, le=MOST_SEEDS, strict=True)] | None = None
    within: Annotated[float, Field(gt=0, lt=100)] | None = None
    stated_rate: Positive | None = None
    init: Literal["stated", "gain", "critical"] = "stated"
    tuning_seeds: tuple[Seed, ...] = ()
    epochs: Count = 40
    batch: Count = 32
    optimiser: Optimiser = Adam()
    loss: StatedLoss | None = None
    class_weights: Annotated[Literal["balanced"] | dict[str, float], BeforeValidator(_class_weights)] | None = None
    match: Literal["units", "parameters"] = "units"
    probe_samples: Count = 128
    metric: str | None = None
    milestones: tuple[Milestone, ...] = ()
    chosen_rates: dict[str, dict[str, Positive]] | None = None
    provenance: str | None = None
    digest: str | None = None
    source_digests: Annotated[dict[str, str] | None, Field(validate_default=True)] = None

    def __init__(self, /, **settings: Any) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise invalid_study(error, settings, _keys) from None

    @field_validator("network", mode="before")
    @classmethod
    def _known_layers(cls, layers: Any) -> Any:
        _refuse_depth(layers)
        _refuse_unknown_layers(layers)
        if not names_as_recorded.get():
            import_functions(layers)
        return layers

    @field_validator("network")
    @classmethod
    def _known_functions(cls, layers: Any) -> Any:
        if isinstance(layers, tuple):
            expand(layers)
        return layers

    @field_validator("activations", mode="before")
    @classmethod
    def _known_activations(cls, names: Any) -> Any:
        if isinstance(names, str):
            names = split_names(names)
        if not isinstance(names, (list, tuple)):
            return names
        if names_as_recorded.get():
            return names
        canonical = [activation_named(name).name if isinstance(name, str) else name for name in names]
        _refuse_repetition(canonical)
        return canonical

    @field_validator("source_digests", mode="before")
    @classmethod
    def _sources_as_they_are(cls, told: Any, checked: ValidationInfo) -> Any:
        if names_as_recorded.get():
            return told
        names = (*checked.data.get("activations", ()), *functions_in(checked.data.get("network")))
        return source_digests(names, told)

    @field_validator("seeds", mode="before")
    @classmethod
    def _number_of_seeds(cls, seeds: Any) -> Any:
        if isinstance(seeds, int) and not isinstance(seeds, bool):
            if not 1 <= seeds <= MOST_SEEDS:
                raise ValueError(f"a number of seeds from 1 to {MOST_SEEDS:,} is expected, got {shortened(seeds)}")
            return range(seeds)
        if not isinstance(seeds, Sequence) or isinstance(seeds, str):
            raise ValueError(f"a whole number, or a list of them, is expected, got {shortened(seeds)}")
        _refuse_repetition(seeds)
        return seeds

    @field_validator("learning_rates", mode="before")
    @classmethod
    def _one_or_many_rates(cls, rates: Any) -> Any:
        if isinstance(rates, str):
            raise ValueError(f"'auto', a number or a list of numbers is expected, got {shortened(rates)}")
        rates = [rates] if isinstance(rates, (int, float)) else rates
        _refuse_repetition(rates)
        return rates

    @model_validator(mode="before")
    @classmethod
    def _first_seeds(cls, settings: dict[str, Any]) -> dict[str, Any]:
        if settings.get("seeds") != "auto":
            return settings
        most, within = settings.get("most_seeds"), settings.get("within")
        if most is None and within is None:
            raise ValueError("seeds 'auto' are added without end: give most_seeds (--most-seeds) or within (--within)")
        # What it must not be is refused by its own name.
        most = most if isinstance(most, int) and FEWEST_AUTO <= most <= MOST_SEEDS else MOST_AUTO
        return settings | {"seeds": looks_until(most)[0]}

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_tuning(cls, settings: dict[str, Any]) -> dict[str, Any]:
        if settings.get("learning_rates") == "auto":
            centre = settings.get("stated_rate") or usual_rate(settings.get("optimiser", "adam"))
            # A stated rate that is no number is refused later, by its own name.
            around = rates_around(centre) if isinstance(centre, (int, float)) else (1.0,)
            settings = settings | {"learning_rates": around}
        rates, seeds = settings.get("learning_rates"), settings.get("seeds", 10)
        if settings.get("tuning_seeds") or not isinstance(rates, Sequence) or len(rates) < 2:
            return settings
        if settings.get("most_seeds") is not None or settings.get("within") is not None:
            seeds = settings.get("most_seeds") or MOST_AUTO
        whole = isinstance(seeds, Sequence) and all(isinstance(seed, int) for seed in seeds)
        if not whole and not isinstance(seeds, int):
            return settings  # Refused as seeds.
        return settings | {
            "tuning_seeds": seeds_after(range(min(seeds, MOST_SEEDS)) if isinstance(seeds, int) else seeds)
        }

    @model_validator(mode="after")
    def _seeds_of_a_look(self) -> Study:
        if self.looks and self.seeds not in map(tuple, map(range, self.looks)):
            raise ValueError("most_seeds and within are for seeds 'auto': ask for these, or leave the two out")
        if self.looks and len(self.activations) < 2:
            raise ValueError("seeds 'auto' are added until one activation may be the best: give at least two")
        return self

    @model_validator(mode="after")
    def _separate_tuning_seeds(self) -> Study:
        if shared := set(self.seeds).union(range(max(self.looks, default=0))) & set(self.tuning_seeds):
            numbers = ", ".join(map(str, sorted(shared)))
            raise ValueError(f"seeds and tuning_seeds share {numbers}: the report must not use a seed of tuning")
        return self

    @model_validator(mode="after")
    def _rates_of_conditions(self) -> Study:
        if len(self.learning_rates or ()) < 2:
            for name in ("stated_rate", "chosen_rates"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} stands beside several learning_rates: leave it out, or give several")
        for init in {"stated", self.init} if self.chosen_rates is not None else ():
            if set(self.activations) - set((self.chosen_rates or {}).get(init, {})):
                raise ValueError("chosen_rates lacks some of the activations: leave it out, and they are chosen anew")
        return self

    @property
    def reading(self) -> Reading:
        """How the file of the task is to be read: what `header` and the other settings beside `target` decide."""
        settings = {field.name: getattr(self, field.name) for field in dataclasses.fields(Reading)}
        return Reading(**{name: value for name, value in settings.items() if value is not None})

    @property
    def own_loop(self) -> bool:
        """Whether its members were trained in a loop of a user's own, of which its settings say nothing."""
        return False

    @property
    def looks(self) -> tuple[int, ...]:
        """Where seeds are added as needed, the numbers of them after which the study is looked at; else empty.

        >>> Study(seeds="auto", most_seeds=32).looks, Study(seeds=32).looks
        ((8, 16, 32), ())
        """
        bounded = self.most_seeds is not None or self.within is not None
        return looks_until(self.most_seeds or MOST_AUTO) if bounded else ()

    @property
    def identity(self) -> str:
        """SHA-256 of the study as TOML without what was chosen while it ran, or is only looked at.

        Two studies are the same if this is.
        """
        # The metric decides how many seeds are trained, or nothing that is trained.
        found: dict[str, Any] = {"seeds": tuple(range(self.looks[0]))} if self.looks else {"metric": None}
        found |= {"chosen_rates": None}
        asked = self.model_copy(update=found)
        return hashlib.sha256(asked._settings_toml().encode()).hexdigest()

    @property
    def conditions(self) -> str:
        """SHA-256 of all that must be equal for recordings to be joined: the study without its `extent`.

        >>> Study(seeds=3).conditions == Study(seeds=5).conditions, Study(batch=8).conditions == Study().conditions
        (True, False)
        """
        beside = ("name", "metric", "stated_rate", "tuning_seeds", "most_seeds", "within")
        without: dict[str, Any] = dict.fromkeys((*EXTENT, *beside, "chosen_rates", "source_digests"))
        return hashlib.sha256(self.model_copy(update=without)._settings_toml().encode()).hexdigest()

    @property
    def extent(self) -> dict[str, Any]:
        """What of these conditions is trained: activations, learning rates, seeds, epochs.

        >>> Study(activations="relu", seeds=2, epochs=5).extent
        {'activations': ('relu',), 'learning_rates': None, 'seeds': (0, 1), 'epochs': 5}
        """
        return {name: getattr(self, name) for name in EXTENT}

    def to_toml(self) -> str:
        """The study as the text of a TOML file; `actlab.study.from_toml` reads it back.

        Where it compares functions of a user's own, a comment says that the file holds their names only.
        """
        own = self.own_functions
        comment = f"{OWN_FUNCTIONS}{', '.join(map(repr, own))}\n{_HOW_TO_RUN}\n\n" if own else ""
        return comment + self._settings_toml()

    def _settings_toml(self) -> str:
        import tomli_w

        return tomli_w.dumps(_without_none(self.to_dict()))

    def to_dict(self) -> dict[str, Any]:
        """All settings that say something, JSON-safe."""
        return self.model_dump(mode="json")

    @property
    def own_functions(self) -> tuple[str, ...]:
        """Names of the functions that were registered in Python: a file cannot hold the code of these."""
        return registered((*self.activations, *functions_in(self.network)))

    def network_for(self, activation: str, input_shape: tuple[int, ...]) -> Network | TracedNetwork:
        """The network of one activation, with `match` applied where the function changes the width."""
        if self.network is None:
            raise InvalidStudy("the study has no network yet: complete it for its task first.")
        if isinstance(self.network, CustomNetwork):
            return trace(self.network, input_shape, activation, tokens=self.layout == "tokens")
        function, layers = catalogue[activation], self.network
        if self.match == "parameters" and function.inputs_per_unit() != 1:
            budget = build(layers, input_shape, "linear").parameter_count
            layers = matching_parameters(layers, input_shape, function, budget)
        return build(layers, input_shape, function)

    def networks(self, input_shape: tuple[int, ...]) -> dict[str, Network | TracedNetwork]:
        """The network of each activation."""
        return {name: self.network_for(name, input_shape) for name in self.activations}


LAYERS: Mapping[str, Any] = {layer.layer: layer for layer in get_args(get_args(Layer)[0])}


def _refuse_unknown_layers(layers: Any) -> None:
    for layer in layers if isinstance(layers, (list, tuple)) else ():
        if isinstance(layer, dict):
            name = layer.get("layer")
            if isinstance(name, str) and name not in LAYERS:
                raise UnknownName("layer", name, LAYERS)
            _refuse_unknown_layers(layer.get("layers"))


def _refuse_depth(layers: Any) -> None:
    level = layers if isinstance(layers, (list, tuple)) else ()
    for _ in range(DEEPEST + 1):
        inner = [layer.get("layers") if isinstance(layer, dict) else getattr(layer, "layers", None) for layer in level]
        level = [layer for block in inner if isinstance(block, (list, tuple)) for layer in block]
        if not level:
            return
    raise ValueError(f"residual blocks lie more than {DEEPEST} deep within each other: put them one behind the other")


def _refuse_repetition(values: Any) -> None:
    seen: list[Any] = []
    for value in values if isinstance(values, (list, tuple)) else ():
        if value in seen:
            raise ValueError(f"{shortened(value)} is named twice")
        seen.append(value)


def _without_none(value: Any) -> Any:
    """TOML has no null: a setting that is None is left out, which reads back as None."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


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
