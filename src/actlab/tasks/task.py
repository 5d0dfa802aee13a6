"""The task: arrays in three splits, with class names, provenance and digest, checked when built."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidData
from actlab.tasks.tables.report import Report

# Whole numbers are the ids of tokens.
Samples = npt.NDArray[np.float32] | npt.NDArray[np.int32]
Labels = npt.NDArray[np.int32]
Pair = tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]

SPLITS = ("train", "validation", "test")
Validation = Literal["held-out", "test"]
# What the provenance of a task says whose validation data are its test data.
VALIDATED_ON_TEST = "validation is the test data, as in many published experiments: nothing may be chosen on it"


@dataclass(frozen=True)
class Targets:
    """Numbers as targets, standardised by the training part: (number − mean) / scale.

    Attributes:
        names: of each target.
        means: of each, over the training samples, in its unit.
        scales: the standard deviation of each, over the training samples, in its unit.
    """

    names: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, eq=False)
class Task:
    """Data in three splits, with classes or numbers as targets. `build` and `build_numbers` make one and check it.

    Attributes:
        name: what the user called it.
        x_train, x_validation, x_test: float32, (n, features), (n, height, width, channels) for images, or (n, …) of any
            shape for a network of one's own; int32 where they are ids of tokens.
        y_train, y_validation, y_test: int32, (n,), indices into `classes`; or float32, (n, targets), standardised
            numbers, or 1 for each label that a sample has and 0 for the others.
        classes: the class names, or the labels as they were in the source; none where the targets are numbers or
            several labels.
        provenance: one line: source, authors, licence where known, rule and seed of the splits.
        digest: SHA-256 of the six arrays, in hexadecimal; equal digests mean equal data.
        targets: the numbers that are targets; None where these are classes or labels.
        labels: the names of the labels, of which a sample may have several or none; else empty.
        report: what was made and decided of a user's own data; None for all else.
    """

    name: str
    x_train: Samples = field(repr=False)
    y_train: Labels | Samples = field(repr=False)
    x_validation: Samples = field(repr=False)
    y_validation: Labels | Samples = field(repr=False)
    x_test: Samples = field(repr=False)
    y_test: Labels | Samples = field(repr=False)
    classes: tuple[str, ...]
    provenance: str
    digest: str
    targets: Targets | None = None
    labels: tuple[str, ...] = ()
    report: Report | None = field(default=None, repr=False)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample: (features,), (height, width, channels), or another for a network of one's own."""
        return self.x_train.shape[1:]

    @property
    def holds_tokens(self) -> bool:
        """Whether its samples are whole numbers, which name tokens, and no quantities."""
        return self.x_train.dtype.kind == "i"

    @property
    def class_count(self) -> int:
        """The number of classes, at least 2; 0 where the targets are numbers."""
        return len(self.classes)

    def numbers(self, part: str) -> npt.NDArray[np.float64]:
        """The targets of a part in their own units, (n, targets)."""
        assert self.targets is not None
        standardised = getattr(self, f"y_{part}").astype(float)
        return standardised * np.array(self.targets.scales) + np.array(self.targets.means)


def build(
    name: str,
    train: Pair,
    validation: Pair,
    test: Pair,
    *,
    provenance: str,
    classes: Sequence[str] | None = None,
    tokens: bool = False,
) -> Task:
    """Check the data and build a task of it.

    Args:
        name: the task's name; error messages begin with it.
        train, validation, test: samples and labels. Samples: finite numbers, (n, features), (n, height, width,
            channels) or, for a network of one's own, (n, …). Labels: integers, (n,); any will do, they become indices
            in sorted order.
        provenance: one line on where the data comes from.
        classes: names that the labels index; without it the labels themselves become the names.
        tokens: whether samples are ids of tokens, which stay whole numbers.

    Raises:
        InvalidData: empty arrays, a single dimension, NaN or infinity, labels or ids that are not integers, lengths
            that differ, one class only, splits that do not fit the training split.

    >>> x = np.eye(4)
    >>> task = build("mine", (x, [3, 3, 7, 7]), (x[:1], [7]), (x[1:], [3, 3, 7]), provenance="made up")
    >>> task.classes, task.y_validation, task.input_shape
    (('3', '7'), array([1], dtype=int32), (4,))
    """
    given = zip(SPLITS, (train, validation, test), strict=True)
    pairs = [check_pair(name, part, *pair, tokens=tokens) for part, pair in given]
    _check_shapes(name, [x for x, _ in pairs])
    values = _class_values(name, [y for _, y in pairs])
    indices = [(x, np.searchsorted(values, y).astype(np.int32)) for x, y in pairs]
    return _made(name, indices, provenance, classes=_class_names(name, values, classes))


def _made(name: str, pairs: Sequence[Pair], provenance: str, classes: tuple[str, ...] = (), **targets: Any) -> Task:
    """The task of samples and targets as networks take them, of the three parts."""
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for part, (x, y) in zip(SPLITS, pairs, strict=True):
        arrays[f"x_{part}"], arrays[f"y_{part}"] = x, y
    known = {}
    if scaled := targets.get("targets"):
        known = {"means": np.array(scaled.means), "scales": np.array(scaled.scales)}
    told: dict[str, Any] = {"classes": classes, "provenance": provenance, "digest": digest(arrays | known)}
    return Task(name=name, **arrays, **told, **targets)  # pyright: ignore[reportArgumentType]


def build_numbers(
    name: str,
    train: Pair,
    validation: Pair,
    test: Pair,
    *,
    provenance: str,
    names: Sequence[str] | None = None,
    tokens: bool = False,
) -> Task:
    """Check data with numbers as targets, standardise these by the training part, and build a task.

    Args:
        name: the task's name; error messages begin with it.
        train, validation, test: samples as for `build`, and numbers, (n,) or (n, targets), in any unit.
        provenance: one line on where the data comes from.
        names: of the targets; "y", or "y1", "y2" and so on, without.
        tokens: as for `build`.

    Raises:
        InvalidData: as `build`; numbers that are NaN or infinite, or all alike in the training part.

    >>> x = np.eye(3)
    >>> task = build_numbers("mine", (x, [1.0, 2.0, 6.0]), (x, [3, 3, 3]), (x, [3, 3, 3]), provenance="made up")
    >>> task.targets.means, task.y_validation[0], task.numbers("test")[0].tolist()
    ((3.0,), array([0.], dtype=float32), [3.0])
    """
    pairs = _numbers_pairs(name, (train, validation, test), tokens)
    count = pairs[0][1].shape[1]
    named = tuple(names or (["y"] if count == 1 else [f"y{place + 1}" for place in range(count)]))
    targets = _standardising(name, named, pairs[0][1])
    standardised = [(x, ((y - targets.means) / targets.scales).astype(np.float32)) for x, y in pairs]
    return _made(name, standardised, provenance, targets=targets)


def _numbers_pairs(name: str, parts: Sequence[Pair], tokens: bool) -> list[tuple[Samples, npt.NDArray[np.float64]]]:
    """The samples and numbers of the three parts, checked by themselves and beside each other."""
    given = zip(SPLITS, parts, strict=True)
    pairs = [numbers_pair(name, part, *pair, tokens=tokens) for part, pair in given]
    _check_shapes(name, [x for x, _ in pairs])
    if len({y.shape[1] for _, y in pairs}) > 1:
        raise InvalidData(f"{name}: its parts have different numbers of targets: give all as many as y_train.")
    return pairs


def numbers_pair(
    name: str, part: str, x: npt.ArrayLike, y: npt.ArrayLike, *, tokens: bool = False
) -> tuple[Samples, npt.NDArray[np.float64]]:
    """Check the samples and numbers of one split; return them as float32 and as float64 (n, targets).

    Args:
        name, part, x, tokens: as for `check_pair`.
        y: numbers, (n,) or (n, targets).

    Raises:
        InvalidData: as `build_numbers`, for what a split shows by itself.
    """
    samples = _check_samples(name, f"x_{part}", np.asarray(x), tokens)
    values = _check_numbers(name, f"y_{part}", np.asarray(y))
    if len(samples) != len(values):
        raise InvalidData(
            f"{name}: x_{part} holds {len(samples)} samples and y_{part} {len(values)} targets: give one for each "
            "sample."
        )
    return samples, values


def build_labels(
    name: str,
    train: Pair,
    validation: Pair,
    test: Pair,
    *,
    provenance: str,
    names: Sequence[str] | None = None,
    tokens: bool = False,
) -> Task:
    """Check data of which a sample has several labels, and build a task.

    Args:
        name, provenance, tokens: as for `build`.
        train, validation, test: samples as for `build`, and rows (n, labels) of 0 and 1.
        names: of the labels; "1", "2" and so on without.

    Raises:
        InvalidData: as `build`; other values than 0 and 1, a label that no training sample or every one has.

    >>> x = np.eye(3)
    >>> y = [[1, 0], [1, 1], [0, 1]]
    >>> build_labels("mine", (x, y), (x, y), (x, y), provenance="made up", names=["red", "round"]).labels
    ('red', 'round')
    """
    pairs = _numbers_pairs(name, (train, validation, test), tokens)
    named = tuple(names or [str(place + 1) for place in range(pairs[0][1].shape[1])])
    for part, (_, y) in zip(SPLITS, pairs, strict=True):
        if not ((y == 0) | (y == 1)).all():
            raise InvalidData(f"{name}: y_{part} holds other numbers than 0 and 1: give 1 for each label of a sample.")
    shares = pairs[0][1].mean(axis=0)
    for label, share in zip(named, shares, strict=True):
        if share in (0, 1):
            has = "every" if share else "no"
            raise InvalidData(
                f"{name}: {has} training sample has the label {label!r}: leave it out, there is nothing to learn."
            )
    return _made(name, [(x, y.astype(np.float32)) for x, y in pairs], provenance, labels=named)


def _check_numbers(name: str, array_name: str, y: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """Return targets as float64 (n, targets), or raise InvalidData."""
    if y.size == 0 or y.ndim not in (1, 2) or y.dtype.kind not in "fiub":
        raise InvalidData(
            f"{name}: {array_name} holds {y.dtype} values of shape {y.shape}: give numbers, (samples,) or "
            "(samples, targets)."
        )
    values = y.reshape(len(y), -1).astype(float)
    wrong = ~np.isfinite(values)
    if wrong.any():
        place = int(np.argmax(wrong.any(axis=1)))
        raise InvalidData(
            f"{name}: {int(wrong.sum()):,} of the {y.size:,} values of {array_name} are NaN or infinite, the first in "
            f"row {place}: remove these samples."
        )
    return values


def _standardising(name: str, names: tuple[str, ...], values: npt.NDArray[np.float64]) -> Targets:
    """By what the targets of the training part are standardised; raises InvalidData where one is always the same."""
    means, scales = values.mean(axis=0), values.std(axis=0)
    for place, own in enumerate(scales):
        if not own > 1e-12 * max(1e-300, abs(means[place])) or not np.isfinite(own):
            raise InvalidData(
                f"{name}: the target {names[place]!r} is {means[place]:.6g} in all training samples, or beyond what "
                "float64 holds: there is nothing to learn."
            )
    return Targets(names, tuple(map(float, means)), tuple(map(float, scales)))


def validated_on_test(task: Task) -> Task:
    """The task with training and validation data joined for training, and the test data as validation data too.

    >>> x = np.eye(4)
    >>> held_out = build("mine", (x, [0, 1, 0, 1]), (x[:1], [1]), (x[1:], [0, 0, 1]), provenance="made up")
    >>> task = validated_on_test(held_out)
    >>> len(task.x_train), np.array_equal(task.x_validation, task.x_test)
    (5, True)
    """
    x = np.concatenate([task.x_train, task.x_validation])
    y_train, y_validation, y_test = (targets_in(task, part) for part in SPLITS)
    test = task.x_test, y_test
    provenance = f"{task.provenance}; then training and validation data joined for training: {VALIDATED_ON_TEST}"
    return rebuilt(task, (x, np.concatenate([y_train, y_validation])), test, test, provenance)


def targets_in(task: Task, part: str) -> npt.NDArray[np.generic]:
    """The targets of a part as `build` or `build_numbers` takes them."""
    return getattr(task, f"y_{part}") if task.targets is None else task.numbers(part)


def rebuilt(task: Task, train: Pair, validation: Pair, test: Pair, provenance: str) -> Task:
    """The task with other parts, targets as of `targets_in`."""
    settings: dict[str, Any] = {"provenance": provenance, "tokens": task.holds_tokens}
    if task.labels:
        made = build_labels(task.name, train, validation, test, names=task.labels, **settings)
    elif task.targets is None:
        made = build(task.name, train, validation, test, classes=task.classes, **settings)
    else:
        made = build_numbers(task.name, train, validation, test, names=task.targets.names, **settings)
    return replace(made, report=task.report)


def digest(arrays: Mapping[str, npt.NDArray[np.generic]]) -> str:
    """Return the SHA-256 of named arrays: names, dtypes, shapes and bytes, in the given order.

    Bytes are little-endian and in C order, so that the digest is the same on every machine.

    >>> digest({"a": np.zeros(2)}) == digest({"a": np.zeros(2)})
    True
    >>> digest({"a": np.zeros(2)}) == digest({"b": np.zeros(2)})
    False
    """
    total = hashlib.sha256()
    for name, array in arrays.items():
        portable = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        total.update(f"{name} {portable.dtype.str} {array.shape}\n".encode())
        total.update(portable.data)
    return total.hexdigest()


def check_pair(
    name: str, part: str, x: npt.ArrayLike, y: npt.ArrayLike, *, tokens: bool = False
) -> tuple[Samples, npt.NDArray[np.integer]]:
    """Check the samples and labels of one split; return them as float32 and as integers of any range.

    Args:
        name: what error messages begin with: the task or file.
        part: "train", "validation" or "test".
        x: samples, (n, …).
        y: labels, (n,).
        tokens: whether samples are ids of tokens, which become int32.

    Raises:
        InvalidData: as `build`, for what a split shows by itself.

    >>> check_pair("mine", "train", [[1.0], [2.0]], [4.0, 5.0])[1]
    array([4, 5])
    """
    samples = _check_samples(name, f"x_{part}", np.asarray(x), tokens)
    labels = _check_labels(name, f"y_{part}", np.asarray(y))
    if len(samples) != len(labels):
        raise InvalidData(
            f"{name}: x_{part} holds {len(samples)} samples and y_{part} {len(labels)} labels: "
            "give one label for each sample."
        )
    return samples, labels


def _check_samples(name: str, array_name: str, x: npt.NDArray[np.generic], tokens: bool) -> Samples:
    """Return `x` as float32, or as int32 if it holds tokens, or raise InvalidData."""
    if x.size == 0:
        raise InvalidData(f"{name}: {array_name} is empty (shape {x.shape}): give at least one sample.")
    if x.dtype.kind not in "fiub":
        raise InvalidData(f"{name}: {array_name} holds {x.dtype} values: give real numbers.")
    if x.ndim < 2:
        raise InvalidData(
            f"{name}: {array_name} has {x.ndim} dimensions (shape {x.shape}): give (samples, features) or (samples, "
            "height, width, channels), or for a network of your own samples of any shape, (samples, …)."
        )
    if tokens:
        return _check_tokens(name, array_name, x)
    with np.errstate(over="ignore"):
        samples = np.asarray(x, dtype=np.float32)
    wrong = ~np.isfinite(samples)
    if wrong.any():
        place = [int(index) for index in np.unravel_index(int(np.argmax(wrong)), x.shape)]
        raise InvalidData(
            f"{name}: {int(wrong.sum()):,} of the {x.size:,} values of {array_name} are NaN or infinite in "
            f"float32, the first at {place}: remove or replace them."
        )
    return samples


def _check_tokens(name: str, array_name: str, x: npt.NDArray[Any]) -> Samples:
    """Return `x` as int32, or raise InvalidData."""
    good = (np.floor(x) == x) & (x >= -(2**31)) & (x < 2**31)
    if not good.all():
        place = np.unravel_index(int(np.argmin(good)), x.shape)
        raise InvalidData(
            f"{name}: {array_name} holds {x[place]} at {[int(index) for index in place]}, which is no id of a token: "
            "give whole numbers below 2**31."
        )
    return x.astype(np.int32)


def _check_labels(name: str, array_name: str, y: npt.NDArray[np.generic]) -> npt.NDArray[np.integer]:
    """Return `y` as integers, or raise InvalidData."""
    if y.size == 0:
        raise InvalidData(f"{name}: {array_name} is empty (shape {y.shape}): give at least one label.")
    if y.ndim != 1:
        raise InvalidData(
            f"{name}: {array_name} has {y.ndim} dimensions (shape {y.shape}): give one class index a sample; "
            "argmax(axis=1) makes indices of one-hot rows, ravel() flattens a column."
        )
    if y.dtype.kind in "iub":
        if y.dtype.kind == "u" and (most := y.max()) > np.iinfo(np.int64).max:
            raise InvalidData(
                f"{name}: {array_name} holds the label {most} at [{int(np.argmax(y))}], beyond the largest of int64, "
                "2**63 - 1: give the classes smaller numbers; numpy.unique(labels, return_inverse=True)[1] makes them."
            )
        return y.astype(np.int64)
    if not np.issubdtype(y.dtype, np.floating):
        what = "texts" if y.dtype.kind in "US" else f"{y.dtype} values"
        raise InvalidData(
            f"{name}: labels are not integers: {array_name} holds {what}; give every class a number, as "
            "numpy.unique(labels, return_inverse=True)[1] does."
        )
    whole = np.floor(y) == y
    bits = min(np.finfo(cast(Any, y.dtype)).nmant, 52) + 1
    # Beyond, a floating-point number stands for its neighbours, too. NaN and infinity fail here as well.
    good = whole & (np.abs(y) < 2.0**bits)
    if not good.all():
        place = int(np.argmin(good))
        which = f" that {y.dtype} tells apart, below 2**{bits}" if np.isfinite(y[place]) and whole[place] else ""
        raise InvalidData(
            f"{name}: labels are not integers{which}: {array_name} holds {y[place]} at [{place}]; "
            "give one class index for each sample."
        )
    return y.astype(np.int64)


def _check_shapes(name: str, samples: Sequence[Samples]) -> None:
    """Raise InvalidData unless the samples of all splits have the shape of the training samples."""
    for part, x in zip(SPLITS[1:], samples[1:], strict=True):
        if x.shape[1:] != samples[0].shape[1:]:
            raise InvalidData(
                f"{name}: a sample of x_{part} has shape {x.shape[1:]}, one of x_train "
                f"{samples[0].shape[1:]}: give all splits the same shape."
            )


def _class_values(name: str, labels: Sequence[npt.NDArray[np.integer]]) -> npt.NDArray[np.integer]:
    """Return the labels of the training split, sorted, each once; other splits may hold no further one."""
    values = np.unique(labels[0])
    if len(values) < 2:
        raise InvalidData(f"{name}: y_train holds one class only ({values[0]}): give samples of two or more.")
    for part, y in zip(SPLITS[1:], labels[1:], strict=True):
        strangers = np.setdiff1d(y, values)
        if len(strangers):
            listed = ", ".join(str(value) for value in strangers[:10])
            raise InvalidData(
                f"{name}: y_{part} holds labels that y_train lacks ({listed}): "
                f"add samples of them to the training split, or take them out of y_{part}."
            )
    return values


def _class_names(name: str, values: npt.NDArray[np.integer], classes: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the label values, which index `classes` where it is given."""
    if classes is None:
        return tuple(str(value) for value in values)
    if values[0] < 0 or values[-1] >= len(classes):
        raise InvalidData(f"{name}: labels from {values[0]} to {values[-1]} do not index {len(classes)} class names.")
    return tuple(classes[int(value)] for value in values)
