"""Cutting data into splits: stratified by class, and decided by a seed alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from actlab.errors import InvalidData
from actlab.tasks.task import SPLITS, Pair, Task, rebuilt, targets_in

Indices = npt.NDArray[np.intp]


def split(
    x: npt.NDArray[np.generic], y: npt.NDArray[np.generic], seed: int, *, name: str = "data"
) -> tuple[Pair, Pair, Pair]:
    """Cut data without a split into train, validation and test: 60, 20 and 20 %.

    The share of each class is that of the whole, to within one sample; at least one sample of each class is
    in train; each split is shuffled. Numbers as targets, of floating point, are cut at random.

    Args:
        x: samples, (n, …).
        y: labels, (n,), of any sortable type.
        seed: 0 or more.
        name: what error messages begin with.

    Returns:
        Three pairs of samples and labels.

    Raises:
        InvalidData: too few samples for validation or test to hold one.

    >>> train, validation, test = split(np.arange(10)[:, None], np.arange(10) % 2, seed=0)
    >>> len(train[0]), sorted(validation[1].tolist()), sorted(test[1].tolist())
    (6, [0, 1], [0, 1])
    """
    size = round(len(y) / 5)
    train, validation, test = _draw(y, (size, size), seed, name)
    return (x[train], y[train]), (x[validation], y[validation]), (x[test], y[test])


def hold_out(
    x: npt.NDArray[np.generic],
    y: npt.NDArray[np.generic],
    seed: int,
    *,
    size: int | None = None,
    name: str = "data",
) -> tuple[Pair, Pair]:
    """Cut a held-out set from training data, stratified by class: `size` samples, or a sixth of all.

    Args:
        x: samples, (n, …).
        y: labels, (n,), of any sortable type.
        seed: 0 or more.
        size: how many samples to hold out, 1 to n - number of classes.
        name: what error messages begin with.

    Returns:
        The rest and the held-out set, each a shuffled pair of samples and labels.

    Raises:
        InvalidData: too few samples to hold one out.

    >>> rest, held_out = hold_out(np.arange(12)[:, None], np.arange(12) % 2, seed=0)
    >>> len(rest[0]), sorted(held_out[1].tolist())
    (10, [0, 1])
    """
    rest, held_out = _draw(y, (size or max(1, round(len(y) / 6)),), seed, name)
    return (x[rest], y[rest]), (x[held_out], y[held_out])


def held_out(task: Task, seed: int) -> Task:
    """The task with validation data cut anew from its training data: a sixth, stratified by class.

    For one whose validation data are its test data, where something is to be chosen all the same.

    Raises:
        InvalidData: too few samples to hold one out.

    >>> from actlab.tasks.task import build
    >>> x = np.arange(12.0)[:, None]
    >>> task = build("mine", (x, np.arange(12) % 2), (x[:2], [0, 1]), (x[:2], [0, 1]), provenance="made up")
    >>> held_out(task, seed=0).x_validation.shape
    (2, 1)
    """
    rest, validation = hold_out(task.x_train, targets_in(task, "train"), seed, name=task.name)
    how = "by class" if task.classes else "at random"
    rule = f"then {len(validation[0]):,} of the {len(task.x_train):,} training samples held out, {how}, seed {seed}"
    return rebuilt(task, rest, validation, (task.x_test, targets_in(task, "test")), f"{task.provenance}; {rule}")


def completed(pairs: Mapping[str, Pair], seed: int, name: str, *, train: str, source: str) -> tuple[list[Pair], str]:
    """Cut the parts that are missing from the training part; return all three, and the rule in words.

    Args:
        pairs: by part; "train" there must be.
        seed: 0 or more.
        name: what error messages begin with.
        train, source: what the rule calls the training part, and that which holds the parts.

    Raises:
        InvalidData: too few samples for the parts that are missing.

    >>> pair = np.arange(12)[:, None], np.arange(12) % 2
    >>> parts, rule = completed({"train": pair, "test": pair}, 0, "mine", train="x_train", source="the file")
    >>> [len(y) for _, y in parts], rule
    ([10, 2, 12], 'validation a sixth of x_train, stratified by class, seed 0')
    """
    whole = pairs["train"]
    how = "at random" if np.issubdtype(whole[1].dtype, np.floating) else "stratified by class"
    cut = f"{how}, seed {seed}"
    if len(pairs) == len(SPLITS):
        return [pairs[part] for part in SPLITS], f"all splits as in {source}"
    if "test" in pairs:
        rest, validation = hold_out(*whole, seed, name=name)
        return [rest, validation, pairs["test"]], f"validation a sixth of {train}, {cut}"
    if "validation" in pairs:
        rest, test = hold_out(*whole, seed, name=name)
        return [rest, pairs["validation"], test], f"test a sixth of {train}, {cut}"
    return list(split(*whole, seed, name=name)), f"split 60/20/20 {cut}"


def _draw(y: npt.NDArray[np.generic], sizes: Sequence[int], seed: int, name: str) -> list[Indices]:
    """Draw a set of each size, stratified; return the indices of what is left, then of each set."""
    rng = np.random.default_rng(seed)
    if np.issubdtype(y.dtype, np.floating):
        y = np.zeros(len(y), np.int8)  # Numbers are no classes: all are one.
    _, member = np.unique(y, return_inverse=True)
    counts = np.bincount(member)
    free = counts - 1  # one sample of each class stays in training
    takes = []
    for size in sizes:
        takes.append(_allocate(counts, free, size))
        free = free - takes[-1]
    if min((take.sum() for take in takes), default=0) == 0:
        raise InvalidData(
            f"{name}: {len(y)} samples in {len(counts)} {'classes' if len(counts) > 1 else 'group'} are too few to cut "
            "a validation or test set from: give more samples of each class, or sets of your own."
        )
    order = rng.permutation(len(y))
    grouped = order[np.argsort(member[order], kind="stable")]
    rank = np.arange(len(y)) - (np.cumsum(counts) - counts)[member[grouped]]
    ends = np.cumsum(takes, axis=0)[:, member[grouped]]
    part = (rank < ends).sum(axis=0)  # 0: beyond every set's end; the first set is counted by every end
    numbers = [0, *range(len(sizes), 0, -1)]
    return [rng.permutation(grouped[part == number]) for number in numbers]


def _allocate(counts: Indices, free: Indices, size: int) -> Indices:
    """Share `size` among classes of `counts` samples by largest remainder, none getting more than `free`."""
    whole, remainder = np.divmod(counts * size, counts.sum())
    take = np.minimum(whole, free)
    by_remainder = np.argsort(-remainder, kind="stable")
    room = by_remainder[take[by_remainder] < free[by_remainder]]
    take[room[: size - int(take.sum())]] += 1
    return take
