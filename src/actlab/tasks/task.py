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

Samples = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]
Pair = tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]

SPLITS = ("train", "validation", "test")
Validation = Literal["held-out", "test"]
# What the provenance of a task says whose validation data are its test data.
VALIDATED_ON_TEST = "validation is the test data, as in many published experiments: nothing may be chosen on it"


@dataclass(frozen=True, eq=False)
class Task:
    """Data for a classification, in three splits. Make one with `build`, which checks it.

    Attributes:
        name: what the user called it.
        x_train, x_validation, x_test: float32, (n, features), or (n, height, width, channels) for images.
        y_train, y_validation, y_test: int32, (n,), indices into `classes`.
        classes: the class names, or the labels as they were in the source.
        provenance: one line: source, authors, licence where known, rule and seed of the splits.
        digest: SHA-256 of the six arrays, in hexadecimal; equal digests mean equal data.
        report: what was made of the columns of a user's table; None for all else.
    """

    name: str
    x_train: Samples = field(repr=False)
    y_train: Labels = field(repr=False)
    x_validation: Samples = field(repr=False)
    y_validation: Labels = field(repr=False)
    x_test: Samples = field(repr=False)
    y_test: Labels = field(repr=False)
    classes: tuple[str, ...]
    provenance: str
    digest: str
    report: Report | None = field(default=None, repr=False)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample: (features,) or (height, width, channels)."""
        return self.x_train.shape[1:]

    @property
    def class_count(self) -> int:
        """The number of classes, at least 2."""
        return len(self.classes)


def build(
    name: str,
    train: Pair,
    validation: Pair,
    test: Pair,
    *,
    provenance: str,
    classes: Sequence[str] | None = None,
) -> Task:
    """Check the data and build a task of it.

    Args:
        name: the task's name; error messages begin with it.
        train, validation, test: samples and labels. Samples: finite numbers, (n, features) or (n, height,
            width, channels). Labels: integers, (n,); any will do, they become indices in sorted order.
        provenance: one line on where the data comes from.
        classes: names that the labels index; without it the labels themselves become the names.

    Raises:
        InvalidData: empty arrays, a wrong number of dimensions, NaN or infinity, labels that are not
            integers, lengths that differ, one class only, splits that do not fit the training split.

    >>> x = np.eye(4)
    >>> task = build("mine", (x, [3, 3, 7, 7]), (x[:1], [7]), (x[1:], [3, 3, 7]), provenance="made up")
    >>> task.classes, task.y_validation, task.input_shape
    (('3', '7'), array([1], dtype=int32), (4,))
    """
    pairs = [check_pair(name, part, *pair) for part, pair in zip(SPLITS, (train, validation, test), strict=True)]
    _check_shapes(name, [x for x, _ in pairs])
    values = _class_values(name, [y for _, y in pairs])
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for part, (x, y) in zip(SPLITS, pairs, strict=True):
        arrays[f"x_{part}"] = x
        arrays[f"y_{part}"] = np.searchsorted(values, y).astype(np.int32)
    return Task(
        name=name,
        **arrays,  # pyright: ignore[reportArgumentType]
        classes=_class_names(name, values, classes),
        provenance=provenance,
        digest=digest(arrays),
    )


def validated_on_test(task: Task) -> Task:
    """The task with training and validation data joined for training, and the test data as validation data too.

    >>> x = np.eye(4)
    >>> held_out = build("mine", (x, [0, 1, 0, 1]), (x[:1], [1]), (x[1:], [0, 0, 1]), provenance="made up")
    >>> task = validated_on_test(held_out)
    >>> len(task.x_train), np.array_equal(task.x_validation, task.x_test)
    (5, True)
    """
    joined = np.concatenate([task.x_train, task.x_validation]), np.concatenate([task.y_train, task.y_validation])
    test = task.x_test, task.y_test
    provenance = f"{task.provenance}; then training and validation data joined for training: {VALIDATED_ON_TEST}"
    made = build(task.name, joined, test, test, provenance=provenance, classes=task.classes)
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


def check_pair(name: str, part: str, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Samples, npt.NDArray[np.integer]]:
    """Check the samples and labels of one split; return them as float32 and as integers of any range.

    Args:
        name: what error messages begin with: the task or file.
        part: "train", "validation" or "test".
        x: samples, (n, features) or (n, height, width, channels).
        y: labels, (n,).

    Raises:
        InvalidData: as `build`, for what a split shows by itself.

    >>> check_pair("mine", "train", [[1.0], [2.0]], [4.0, 5.0])[1]
    array([4, 5])
    """
    samples = _check_samples(name, f"x_{part}", np.asarray(x))
    labels = _check_labels(name, f"y_{part}", np.asarray(y))
    if len(samples) != len(labels):
        raise InvalidData(
            f"{name}: x_{part} holds {len(samples)} samples and y_{part} {len(labels)} labels: "
            "give one label for each sample."
        )
    return samples, labels


def _check_samples(name: str, array_name: str, x: npt.NDArray[np.generic]) -> Samples:
    """Return `x` as float32, or raise InvalidData."""
    if x.size == 0:
        raise InvalidData(f"{name}: {array_name} is empty (shape {x.shape}): give at least one sample.")
    if x.dtype.kind not in "fiub":
        raise InvalidData(f"{name}: {array_name} holds {x.dtype} values: give real numbers.")
    if x.ndim not in (2, 4):
        raise InvalidData(
            f"{name}: {array_name} has {x.ndim} dimensions (shape {x.shape}): "
            "give (samples, features) or (samples, height, width, channels)."
        )
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
