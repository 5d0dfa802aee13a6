"""How firmly a learning rate was chosen: what other tuning seeds would have chosen, and what that changes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from actlab.statistics.intervals import Floats, mean

# Every draw of up to so many seeds is made, 5⁵ of them; of more, as many random ones, always the same.
EXACT_SEEDS = 5
# What rows hold besides the loss, what it is of a seed that diverged, and what its spread is called. Such a seed has
# nothing right; of its error no more is known than that it is no number.
SCORES = (
    ("validation_accuracies", 0.0, "accuracy_sd"),
    ("validation_micro_f1s", 0.0, "micro_f1_sd"),
    ("validation_rmses", math.nan, "rmse_sd"),
)
SEED = 20_240_603


def choices(tuning: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How each choice would have come out with tuning seeds drawn anew, with replacement, from those that were used.

    The rate of the lowest mean validation loss is chosen, of equal ones the smallest; a seed that diverged is
    infinitely bad. Rates that no seed can tell from each other are chosen between by luck, harmlessly where their
    accuracies are alike, which `accuracy_sd` says, or `rmse_sd` of numbers, `micro_f1_sd` of several labels.

    Args:
        tuning: the rows of `actlab.laboratory.tuning`; those of earlier recordings do not hold their seeds one by one.

    Returns:
        for each activation and kind of initial weights `activation`, `init`, `learning_rate` (the chosen one),
        `seeds`, `chosen_again` (share of the draws), `rates` (others that were chosen, with their shares, the most
        frequent first) and `accuracy_sd`, `micro_f1_sd` or `rmse_sd`, the standard deviation of what is measured on
        validation data through the choice.

    Source: Bouthillier et al. 2021, Accounting for variance in machine learning benchmarks, arXiv 2103.03098.

    >>> rows = [
    ...     {"activation": "relu", "init": "stated", "learning_rate": rate, "validation_losses": own, "diverged": 0,
    ...      "validation_accuracies": [0.9, 0.9, 0.9]}
    ...     for rate, own in ((0.1, [0.2, 0.2, 0.4]), (0.01, [0.3, 0.3, 0.3]))
    ... ]
    >>> (found,) = choices(rows)
    >>> found["learning_rate"], round(found["chosen_again"], 3), found["accuracy_sd"]
    (0.1, 0.741, 0.0)
    """
    by_kind: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in sorted(tuning, key=lambda row: row["learning_rate"]):
        if row.get("validation_losses"):
            by_kind.setdefault((row["activation"], row["init"]), []).append(row)
    return [_choice(activation, init, rows) for (activation, init), rows in by_kind.items() if len(rows) > 1]


def _choice(activation: str, init: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    losses = _table(rows, "validation_losses", math.inf)
    draws = _draws(losses.shape[1])
    chosen = int(losses.mean(axis=1).argmin())
    picked = losses[:, draws].mean(axis=2).argmin(axis=0)
    shares = np.bincount(picked, minlength=len(rows)) / len(draws)
    # Of a loop of a user's own the loss alone may be known.
    told = {
        said: _spread(np.array([mean(own) for own in _table(rows, key, lost)]), shares)
        for key, lost, said in SCORES
        if key in rows[0]
    }
    others = sorted((i for i in range(len(rows)) if i != chosen and shares[i]), key=lambda i: -shares[i])
    return {
        "activation": activation,
        "init": init,
        "learning_rate": rows[chosen]["learning_rate"],
        "seeds": losses.shape[1],
        "chosen_again": float(shares[chosen]),
        "rates": [{"learning_rate": rows[i]["learning_rate"], "share": float(shares[i])} for i in others],
        **told,
    }


def _spread(scores: Floats, shares: Floats) -> float:
    """Standard deviation of the rates' mean scores, each as often as it is chosen; those never chosen do not count."""
    own = scores[shares > 0]
    weights = shares[shares > 0]
    return math.sqrt(max(0.0, float(weights @ (own - weights @ own) ** 2)))


def _table(rows: Sequence[Mapping[str, Any]], key: str, lost: float) -> Floats:
    """By rate and seed; what diverged, None, counts as `lost`."""
    return np.array([[lost if value is None else value for value in row[key]] for row in rows], dtype=float)


def _draws(seeds: int) -> np.ndarray:
    """Places of seeds drawn with replacement, (draws, seeds)."""
    if seeds <= EXACT_SEEDS:
        return np.array(list(itertools.product(range(seeds), repeat=seeds)))
    return np.random.default_rng(SEED).integers(0, seeds, (EXACT_SEEDS**EXACT_SEEDS, seeds))
