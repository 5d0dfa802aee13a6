"""How firmly learning rates were chosen: every draw of the tuning seeds tried by hand."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from tests.synthetic_recording import record, study

from actlab.statistics import summarise
from actlab.statistics.choice import choices

LOSSES = {0.001: (0.30, 0.31, 0.29), 0.01: (0.20, 0.40, 0.21), 0.1: (0.25, 0.26, None)}
ACCURACIES = {0.001: (0.80, 0.82, 0.81), 0.01: (0.90, 0.85, 0.89), 0.1: (0.88, 0.87, None)}


def rows_of(losses=LOSSES, accuracies=ACCURACIES):
    return [
        {
            "activation": "relu", "init": "stated", "learning_rate": rate, "validation_losses": list(own),
            "validation_accuracies": list(accuracies[rate]), "validation_loss": None, "diverged": own.count(None),
            "members": len(own),
        }
        for rate, own in losses.items()
    ]  # fmt: skip


def test_every_draw_of_three_seeds_is_made():
    wanted = Counter()
    for draw in itertools.product(range(3), repeat=3):
        known = {rate: [np.inf if own[i] is None else own[i] for i in draw] for rate, own in LOSSES.items()}
        wanted[min(known, key=lambda rate: (np.mean(known[rate]), rate))] += 1 / 27
    (found,) = choices(rows_of())
    assert found["learning_rate"] == 0.01
    assert found["chosen_again"] == pytest.approx(wanted.pop(0.01))
    assert {row["learning_rate"]: row["share"] for row in found["rates"]} == pytest.approx(dict(wanted))
    means = {0.001: 0.81, 0.01: 0.88, 0.1: (0.88 + 0.87 + 0) / 3}
    shares = dict(wanted) | {0.01: found["chosen_again"]}
    centre = sum(shares[rate] * means[rate] for rate in means)
    assert found["accuracy_sd"] ** 2 == pytest.approx(sum(shares[r] * (means[r] - centre) ** 2 for r in means))


def test_many_seeds_are_drawn_at_random_and_always_alike():
    rng = np.random.default_rng(0)
    losses = {rate: tuple(rng.normal(0.3, 0.1, 8)) for rate in (0.01, 0.1)}
    accuracies = dict.fromkeys(losses, (0.9,) * 8)
    (found,) = choices(rows_of(losses, accuracies))
    assert choices(rows_of(losses, accuracies)) == [found]
    # The difference of two means of 8 is all but normal: its share below zero is that of the normal distribution.
    difference = np.array(losses[0.01]) - np.array(losses[0.1])
    from scipy import stats

    below = stats.norm.cdf(-abs(difference.mean()) / (difference.std() / np.sqrt(8)))
    assert 1 - found["chosen_again"] == pytest.approx(below, abs=0.03)


def test_one_rate_and_earlier_recordings_have_no_choice():
    assert choices(rows_of()[:1]) == []
    assert choices([{key: row[key] for key in row if key != "validation_losses"} for row in rows_of()]) == []


def test_a_choice_that_other_seeds_would_not_make_is_told_of(tmp_path):
    made_up = study(activations=("relu",), learning_rates=(0.001, 0.01, 0.1), chosen_rates={"stated": {"relu": 0.01}})
    summary = summarise(record(tmp_path / "run", made_up, facts={"tuning": rows_of()}))
    (note,) = [note for note in summary["notes"] if "rests on" in note]
    share = 100 * (1 - summary["choices"][0]["chosen_again"])
    assert f"rests on 3 tuning seeds: drawn anew, these often choose another rate for relu ({share:.0f} % of" in note
    firm = {rate: (loss,) * 3 for rate, loss in zip(LOSSES, (0.3, 0.2, 0.4), strict=True)}
    summary = summarise(record(tmp_path / "firm", made_up, facts={"tuning": rows_of(firm)}))
    assert summary["choices"][0]["chosen_again"] == 1
    assert not [note for note in summary["notes"] if "rests on" in note]
