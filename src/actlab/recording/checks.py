"""What must hold of a recording for everything after it to rely on: checked once, when it is read.

Each function raises ValueError with what was seen and what is expected.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)

from actlab.errors import complaint
from actlab.recording.format import SEGMENT, Member, Segment
from actlab.recording.measures import MEASURES
from actlab.study import Observed, Study, variants

KINDS = ("epochs", "weights", "first-seed", "sample", "test")


def _increasing(edges: list[float]) -> list[float]:
    if any(low >= high for low, high in itertools.pairwise(edges)):
        raise ValueError("each edge must be larger than the one before")
    return edges


Edges = Annotated[list[FiniteFloat], Field(min_length=2), AfterValidator(_increasing)]


class _Checked(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class _Throughput(_Checked):
    members: int
    steps: int
    net_steps_per_second: float
    samples_per_second: float
    train_seconds: float
    compile_seconds: float


class _Metric(_Checked):
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str
    better: Literal["higher", "lower"]
    unit: str
    scale: FiniteFloat


class _Tried(_Checked):
    activation: str
    init: str
    learning_rate: FiniteFloat
    validation_loss: float | None
    diverged: int
    members: int
    validation_losses: list[FiniteFloat | None] = []
    validation_accuracies: list[FiniteFloat | None] = []
    validation_rmses: list[FiniteFloat | None] = []
    validation_micro_f1s: list[FiniteFloat | None] = []


class _Inputs(_Checked):
    rms: FiniteFloat
    column_rms: FiniteFloat
    spread: FiniteFloat
    minimum: FiniteFloat
    maximum: FiniteFloat


class _Added(_Checked):
    """Why no more seeds were added, by which metric; see `actlab.statistics.stopping`."""

    reason: Literal["alone", "within", "most", "none"]
    metric: str


class _Facts(_Checked):
    """Facts of a run, by name; those with a default are not in every recording."""

    epochs: int
    complete: bool
    weight_layers: list[str]
    act_layers: list[str]
    objective: Literal["binary", "classes", "labels", "squared", "absolute", "huber", "own"]
    metrics: list[_Metric]
    classes: list[str]
    input_shape: list[PositiveInt]
    class_counts: list[FiniteFloat] = []
    targets: list[str] = []
    target_means: list[FiniteFloat] = []
    target_scales: list[PositiveFloat] = []
    constant: dict[str, list[FiniteFloat] | FiniteFloat | None] | None = None
    inputs: _Inputs | None = None
    histogram_edges: Edges = [0.0, 1.0]
    gradient_edges: Edges = [0.0, 1.0]
    parameters: dict[str, int] = {}
    layout: dict[str, str] = {}
    versions: dict[str, str] = {}
    machine: str = ""
    precision: str = ""
    streamed: bool = False
    data_notes: list[str] = []
    throughput: _Throughput | None = None
    tuning: list[_Tried] | None = None
    chosen_rates: dict[str, dict[str, FiniteFloat]] | None = None
    added: _Added | None = None


class _Card(_Checked):
    """What is shown of a function; a curve has all of x, value and derivative."""

    title: str
    formula: str = ""
    latex: str | None = None
    kind: str = ""
    x: list[float] | None = None
    value: list[float] | None = None
    derivative: list[float] | None = None
    facts: dict[str, Any] = {}


def check_facts(facts: Mapping[str, Any], study: Study) -> None:
    """All facts are there and of their types, and fit the study."""
    _validate(_Facts, facts, "facts")
    if facts["epochs"] != study.epochs:
        raise ValueError(f"it is of {facts['epochs']} epochs, its study of {study.epochs}")
    chosen = facts.get("chosen_rates")
    if chosen is not None and any(set(study.activations) - set(chosen.get(i, ())) for i in {"stated", study.init}):
        raise ValueError("chosen_rates lacks some of the activations")
    names = [metric["name"] for metric in facts["metrics"]]
    own, decides = facts["objective"] == "own", facts["objective"] in ("binary", "classes")
    needed = (
        "loss",
        *(() if own else ("accuracy" if decides else "micro_f1" if facts["objective"] == "labels" else "rmse",)),
    )
    if len(set(names)) < len(names) or not {*needed} <= {*names}:
        raise ValueError(f"its metrics are {names}, where {', '.join(needed)} and others, each once, are expected")
    scaled = {len(facts.get(name, ())) for name in ("targets", "target_means", "target_scales")}
    if own:
        return
    if scaled != {0} if decides else scaled == {0} or len(scaled) > 1 or facts.get("constant") is None:
        raise ValueError("its targets are not those of its objective")
    counts = facts.get("class_counts", ())
    if counts and len(counts) != len(facts["classes"]):
        raise ValueError(f"{len(counts)} class_counts are recorded for {len(facts['classes'])} classes")


def check_functions(functions: Mapping[str, Any], study: Study) -> None:
    """Every activation of the study has its card."""
    for name in study.activations:
        if name not in functions:
            raise ValueError(f"the function {name!r} is missing")
        _validate(_Card, functions[name], f"the function {name!r}")
        curves = [functions[name].get(part) for part in ("x", "value", "derivative")]
        if len({None if curve is None else len(curve) for curve in curves}) != 1:
            raise ValueError(f"the function {name!r} has no whole curve")


def check_members(members: Sequence[Member], study: Study) -> None:
    """The members are those of the study, each once, and those that diverged did so at an epoch of it."""
    expected = Counter(
        (variant.activation, variant.learning_rate, variant.init, seed)
        for variant in variants(study)
        for seed in study.seeds
    )
    found = Counter((m.activation, m.learning_rate, m.init, m.seed) for m in members)
    if found != expected or [member.id for member in members] != list(range(len(members))):
        raise ValueError("its members are not those of its study")
    for member in members:
        epoch, reason = member.diverged_epoch, member.diverged_reason
        if epoch is None and reason is None:
            continue
        if not isinstance(epoch, int) or not 0 <= epoch <= study.epochs or not isinstance(reason, str):
            raise ValueError(f"member {member.id} is said to have diverged at epoch {epoch!r} ({reason!r})")


def metrics_of(
    columns: Sequence[str], rows: Sequence[tuple[Any, ...]], members: int, study: Study, complete: bool
) -> dict[str, np.ndarray]:
    """Metrics by name, (epochs, members), from rows (epoch, member, one value for each of `columns`) in this order."""
    try:
        values = np.array(rows, dtype=float).reshape(-1, 2 + len(columns))
    except (TypeError, ValueError):
        raise ValueError("a metric is no number") from None
    epochs = len(values) // members
    places = np.stack(np.divmod(np.arange(len(values)), members), axis=-1)
    if epochs * members != len(values) or not np.array_equal(values[:, :2], places):
        raise ValueError("metrics of some epochs or members are missing")
    # A training that was watched at its first step alone has one row.
    wanted = 0 if isinstance(study, Observed) else study.epochs
    if epochs > study.epochs + 1 or (complete and epochs <= wanted):
        raise ValueError(f"there are metrics up to epoch {epochs - 1}, and the run is of {study.epochs} epochs")
    shaped = values[:, 2:].reshape(epochs, members, len(columns))
    return {name: shaped[..., i] for i, name in enumerate(columns)}


def check_segments(segments: Sequence[Segment], members: int, epochs: int, study: Study) -> None:
    """Each segment lies in `segments`, and those of the epochs follow each other up to the last one, `epochs`."""
    following = 0
    for segment in segments:
        words = (segment.kind, segment.file, segment.sha256)
        numbers = (segment.first_epoch, segment.last_epoch)
        if not all(isinstance(word, str) for word in words) or not all(isinstance(number, int) for number in numbers):
            raise ValueError("a segment is described by other than texts and whole numbers")
        if not SEGMENT.fullmatch(segment.file):
            raise ValueError(f"a segment is named {segment.file!r}, where segments/NAME.safetensors is expected")
        if not segment.members or not set(segment.members) <= set(range(members)):
            raise ValueError(f"{segment.file} is of members {list(segment.members)}, and there are {members}")
        if segment.kind not in KINDS or not 0 <= segment.first_epoch <= segment.last_epoch <= study.epochs:
            raise ValueError(f"{segment.file} is of {segment.kind!r} {segment.first_epoch} to {segment.last_epoch}")
        if segment.kind == "epochs":
            if segment.first_epoch != following:
                raise ValueError(f"the segment of epoch {following} is missing")
            following = segment.last_epoch + 1
    if following != epochs + 1:
        raise ValueError(f"there are metrics up to epoch {epochs}, and segments up to epoch {following - 1}")


def check_arrays(
    segment: Segment, arrays: Mapping[str, np.ndarray], members: Sequence[Member], facts: Mapping[str, Any]
) -> None:
    """The arrays of a segment have its epochs on the first axis, members on the second, and layers on the third."""
    targets = (len(facts["targets"]),) if facts.get("targets") else ()
    if segment.kind == "sample":
        shapes = {name: array.shape for name, array in arrays.items()}
        samples = (shapes.get("y") or (0, 0, 0))[2]
        if shapes != {"x": (1, 1, samples, *facts["input_shape"]), "y": (1, 1, samples, *targets)}:
            raise ValueError("it holds other than samples and their targets")
        return
    held = [members[number] for number in segment.members]
    if segment.kind == "test":
        _check_test(arrays, len(held), facts, targets)
        return
    owners = Counter(member.activation for member in held)
    for name, array in arrays.items():
        weights = name.startswith("weights/")
        own = owners[name.split("/")[1]] if weights else len(held)
        expected = (segment.last_epoch - segment.first_epoch + 1, own)
        if array.shape[:2] != expected or not own:
            raise ValueError(f"{name} is of shape {array.shape}, where {expected} and more are expected")
        if not weights:
            _check_probe(name, array, facts)


def _check_test(
    arrays: Mapping[str, np.ndarray], members: int, facts: Mapping[str, Any], targets: tuple[int, ...]
) -> None:
    """Of classes one bit for each test sample; beside it, or alone where targets are numbers, outputs and targets."""
    samples, classes = facts["samples"]["test"], len(facts.get("classes", ()))
    expected: dict[str, tuple[tuple[int, ...], Any]] = {}
    if not targets:
        expected["right"] = ((1, members, -(-samples // 8)), np.uint8)
    if targets or len(arrays) > 1:
        outputs = targets or ((1,) if facts.get("objective") == "binary" else (classes,))
        expected["outputs"] = ((1, members, samples, *outputs), np.float32)
        expected["targets"] = ((1, 1, samples, *targets), np.float32 if targets else np.int32)
    if {name: (array.shape, array.dtype) for name, array in arrays.items()} != expected:
        shapes = ", ".join(f"{name} {shape}" for name, (shape, _) in expected.items())
        raise ValueError(
            f"it holds other than one bit for each test sample, outputs and targets: {shapes} are expected"
        )
    if not targets and "targets" in arrays and not np.isin(arrays["targets"], np.arange(classes)).all():
        raise ValueError(f"its targets are not indices of its {classes} classes")


def _check_probe(name: str, array: np.ndarray, facts: Mapping[str, Any]) -> None:
    measure = MEASURES.get(name)
    if measure is None:
        return
    expected = array.shape[:2] if measure.axis is None else (*array.shape[:2], len(facts[measure.axis]))
    if measure.edges:
        if measure.edges not in facts:
            raise ValueError(f"it holds {name}, but there are no {measure.edges}")
        expected = (*expected, len(facts[measure.edges]) - 1)
    if array.shape != expected:
        raise ValueError(f"{name} is of shape {array.shape}, where {expected} is expected")


def _validate(model: type[BaseModel], value: Any, what: str) -> None:
    try:
        model.model_validate(value)
    except ValidationError as error:
        raise ValueError(f"{what}: {complaint(error.errors()[0]).rstrip('.')}") from None
