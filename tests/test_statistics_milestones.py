"""Races to a milestone, against the binomial distribution, on a recording whose epochs are written down."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from tests.synthetic_recording import record, study

from actlab.statistics.milestones import races
from actlab.statistics.selection import reported
from actlab.study import Milestone

SEEDS = 12
NEVER = 99
RNG = np.random.default_rng(0)
ARRIVALS = {
    "relu": RNG.integers(2, 5, SEEDS),
    "tanh": RNG.integers(4, 8, SEEDS),
    "sigmoid": RNG.integers(7, 11, SEEDS),
}
ARRIVALS["tanh"][3] = NEVER
ARRIVALS["relu"][5] = NEVER


def recorded(folder, arrivals, **settings):
    """Training accuracy is 1 from each member's epoch of arrival on, and 0.5 before."""
    made_up = study(activations=tuple(arrivals), seeds=SEEDS, epochs=12, **settings)
    made = record(folder, made_up)
    for member in made.members:
        epochs = np.arange(made.epochs + 1)
        curve = np.where(epochs >= arrivals[member.activation][member.seed], 1.0, 0.5)
        made.metrics["train_accuracy"][:, member.id] = curve
    return made


@pytest.fixture
def race(tmp_path):
    made = recorded(tmp_path / "run", ARRIVALS, milestones=(Milestone(name="all right"),))
    (found,) = races(made, reported(made))
    return found


def arrivals(name):
    """First epochs, never as infinity."""
    return np.where(ARRIVALS[name] == NEVER, np.inf, ARRIVALS[name])


def test_no_seed_is_dropped_from_the_order(race):
    evidence = race["evidence"]
    assert (evidence["seeds"], evidence["of"]) == (SEEDS - 2, SEEDS)
    assert [row["activation"] for row in evidence["order"]] == ["relu", "tanh", "sigmoid"]
    for row in evidence["order"]:
        assert row["median"] == np.median(arrivals(row["activation"]))
        assert row["reached"] == np.isfinite(arrivals(row["activation"])).mean()
    assert race["sentence"].startswith(
        f"all right: in the order of the median epochs over 12 seeds, relu (epoch {np.median(arrivals('relu')):g}, 11 "
        "of 12 get there), tanh"
    )


def test_all_pairs_are_tested_seed_by_seed(race):
    rows = race["evidence"]["comparisons"]
    assert [(row["a"], row["b"]) for row in rows] == [("relu", "tanh"), ("relu", "sigmoid"), ("tanh", "sigmoid")]
    for row in rows:
        a, b = arrivals(row["a"]), arrivals(row["b"])
        assert (row["first_a"], row["first_b"]) == ((a < b).sum(), (b < a).sum())
        assert row["first_a"] + row["first_b"] + row["ties"] == row["pairs"] == SEEDS
        smaller, decided = min(row["first_a"], row["first_b"]), row["first_a"] + row["first_b"]
        assert row["p"] == pytest.approx(min(1, 2 * binom.cdf(smaller, decided, 0.5)))
    corrected = holm_the_slow_way([row["p"] for row in rows])
    assert [row["p_holm"] for row in rows] == pytest.approx(corrected)
    assert f"relu is first {rows[0]['first_a']} times and tanh {rows[0]['first_b']} time" in race["sentence"]


def holm_the_slow_way(p):
    """Holm's correction, the slow way: the largest of all smaller p times the number of hypotheses left."""
    return [min(1, max(q * sum(r >= q for r in p) for q in p if q <= own)) for own in p]


def test_a_function_that_fails_with_half_of_the_seeds_is_not_ahead(tmp_path):
    """It is early with the easy seeds and never there with the hard ones; the other one always gets there."""
    half = np.arange(SEEDS) % 2 == 0
    given = {"relu": np.where(half, 3, NEVER), "tanh": np.where(half, 6, 8)}
    made = recorded(tmp_path / "run", given, milestones=(Milestone(name="all right"),))
    (found,) = races(made, reported(made))
    assert [row["activation"] for row in found["evidence"]["order"]] == ["tanh", "relu"]
    (row,) = found["evidence"]["comparisons"]
    assert (row["first_a"], row["first_b"], row["p"]) == (6, 6, 1)
    assert "relu (never, 6 of 12 get there)" in found["sentence"]
    assert "not told apart" in found["sentence"]


@pytest.mark.parametrize(
    ("arrivals", "settings"),
    [
        (ARRIVALS, {}),
        ({"relu": ARRIVALS["relu"]}, {"milestones": (Milestone(name="all right"),)}),
        (dict.fromkeys(ARRIVALS, np.full(SEEDS, NEVER)), {"milestones": (Milestone(name="all right"),)}),
    ],
    ids=["no milestone", "one activation", "none ever gets there"],
)
def test_no_race_where_there_is_nothing_to_race_for(arrivals, settings, tmp_path):
    made = recorded(tmp_path / "run", arrivals, **settings)
    assert races(made, reported(made)) == []
