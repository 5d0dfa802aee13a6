"""Races to a milestone, against SciPy's signed-rank test, on a recording whose epochs are written down."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import PermutationMethod, wilcoxon
from tests.synthetic_recording import record, study

from actlab.statistics.milestones import races
from actlab.statistics.selection import entries
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
    (found,) = races(made, entries(made))
    return found


def test_the_order_is_that_of_the_seeds_that_get_there_with_all(race):
    evidence = race["evidence"]
    assert (evidence["seeds"], evidence["of"]) == (SEEDS - 2, SEEDS)
    kept = np.delete(np.arange(SEEDS), [3, 5])
    assert [row["activation"] for row in evidence["order"]] == ["relu", "tanh", "sigmoid"]
    for row in evidence["order"]:
        assert row["median"] == np.median(ARRIVALS[row["activation"]][kept])
    assert race["sentence"].startswith(
        "all right: 10 of 12 seeds get there with every activation; among these the order"
    )


def test_neighbours_are_tested_seed_by_seed(race):
    kept = np.delete(np.arange(SEEDS), [3, 5])
    rows = race["evidence"]["comparisons"]
    assert [(row["a"], row["b"]) for row in rows] == [("relu", "tanh"), ("tanh", "sigmoid")]
    for row in rows:
        differences = ARRIVALS[row["a"]][kept] - ARRIVALS[row["b"]][kept]
        assert row["difference"] == pytest.approx(differences.mean())
        # All 2¹⁰ signs, so that ties are exact.
        exact = wilcoxon(differences, method=PermutationMethod(n_resamples=np.inf))
        assert row["p"] == pytest.approx(exact.pvalue, rel=1e-9)
    assert [row["p_holm"] for row in rows] == pytest.approx(holm_by_hand([row["p"] for row in rows]))
    assert f"relu is {-rows[0]['difference']:.3g} epochs ahead of tanh" in race["sentence"]


def holm_by_hand(p):
    low, high = sorted(p)
    corrected = {low: min(1, 2 * low)}
    corrected[high] = max(corrected[low], high)
    return [corrected[value] for value in p]


@pytest.mark.parametrize(
    ("arrivals", "settings"),
    [
        (ARRIVALS, {}),
        ({"relu": ARRIVALS["relu"]}, {"milestones": (Milestone(name="all right"),)}),
        (ARRIVALS | {"tanh": np.full(SEEDS, NEVER)}, {"milestones": (Milestone(name="all right"),)}),
    ],
    ids=["no milestone", "one activation", "one never gets there"],
)
def test_no_race_without_two_that_arrive(arrivals, settings, tmp_path):
    made = recorded(tmp_path / "run", arrivals, **settings)
    assert races(made, entries(made)) == []
