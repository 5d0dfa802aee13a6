"""How many seeds a conclusion takes, if the functions are truly as far apart as they look."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from actlab.errors import InvalidRecording
from actlab.recording import Recording
from actlab.statistics.best import chances_of_best
from actlab.statistics.intervals import Floats
from actlab.statistics.selection import Reported, by_seed, mostly_diverged, step_of
from actlab.statistics.sign_flips import ALPHA, floor_of
from actlab.statistics.simultaneous import differences_at_once

# Numbers of seeds that are looked at, studies that are made up for each, and the share of them that should succeed.
SEEDS = (6, 8, 10, 12, 16, 20, 30, 50, 100)
STUDIES = 100
WANTED = 0.8
SEED = 20_240_604


@dataclass(frozen=True)
class Power:
    """What studies with more or fewer seeds would conclude.

    Attributes:
        activations: those compared, the highest mean first.
        seeds: numbers of seeds.
        left_out: (seeds, activations), share of studies in which each is told from a better one.
        alone: (seeds,), share of studies that leave one function alone, the highest mean.
        recorded: how many seeds the differences were estimated from.
    """

    activations: tuple[str, ...]
    seeds: tuple[int, ...]
    left_out: Floats
    alone: Floats
    recorded: int

    def needed(self, activation: str) -> int | None:
        """The smallest number of seeds looked at that leaves an activation out in four of five studies; else None."""
        enough = np.flatnonzero(self.left_out[:, self.activations.index(activation)] >= WANTED)
        return self.seeds[enough[0]] if enough.size else None


def power(
    recording: Recording,
    ranked: Sequence[Reported],
    seeds: Sequence[int] = SEEDS,
    progress: Callable[[int], None] = lambda _: None,
) -> Power:
    """Make up studies with the means and the covariances of the seeds seen, and conclude as the report does.

    Studies are normal. What was seen is itself an estimate: with few seeds a difference that is none may look large,
    and then its power does, too.

    Args:
        recording: at least two seeds that trained with two activations.
        ranked: the activations, best first.
        seeds: numbers to look at.
        progress: called with each number of seeds once it has been looked at.

    Raises:
        InvalidRecording: fewer seeds or activations.
    """
    kept = [entry for entry in ranked if not mostly_diverged(entry) and entry.members]
    metric = recording.lead.test
    table = recording.lead.gain([by_seed(recording, entry, metric) for entry in kept])
    table = table[:, np.isfinite(table).all(axis=0)] if len(kept) else np.empty((0, 0))
    if min(table.shape) < 2:
        raise InvalidRecording(
            f"{recording.directory}: two activations, and two seeds that trained with both, are needed to say what "
            f"more seeds would show; there are {table.shape[0]} and {table.shape[1]}."
        )
    step = step_of(recording, metric)
    root = _root(table, step)
    rng = np.random.default_rng(SEED)
    left_out, alone = [], []
    for count in seeds:
        out = np.array([
            _left_out(table.mean(axis=1)[:, None] + root @ rng.normal(size=(len(root), count)), step)
            for _ in range(STUDIES)
        ])  # fmt: skip
        left_out.append(out.mean(axis=0))
        alone.append(float(np.mean(out[:, 1:].all(axis=1) & ~out[:, 0])))
        progress(count)
    names = tuple(entry.activation for entry in kept)
    return Power(names, tuple(seeds), np.array(left_out), np.array(alone), table.shape[1])


def _root(table: Floats, step: float) -> Floats:
    """A root of the covariances of rows, whose variances are never below those of rounding."""
    covariances = np.atleast_2d(np.cov(table))
    values, vectors = np.linalg.eigh(covariances + np.eye(len(table)) * step**2 / 12)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _left_out(values: Floats, step: float) -> np.ndarray:
    """Which activations a study leaves out of those that may be the best."""
    pairs = np.array([values[a] - values[b] for a, b in combinations(range(len(values)), 2)])
    if not any(one.is_told for one in differences_at_once(pairs, floor_of(step))):
        return np.zeros(len(values), bool)
    return chances_of_best(values, step) <= ALPHA
