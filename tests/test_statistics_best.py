"""Which activations may be the best: against all sign flips tried one by one, and over many made-up studies."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from tests.synthetic_recording import record, study

from actlab.statistics import summarise
from actlab.statistics.best import chances_of_best
from actlab.statistics.sign_flips import ALPHA


def chances_by_hand(values):
    """The definition with SciPy's t statistic: every way to flip the signs of seeds, one after the other."""
    found = []
    for own in range(len(values)):
        others = [values[j] - values[own] for j in range(len(values)) if j != own]
        largest = [
            max(stats.ttest_1samp(np.array(signs) * other, 0).statistic for other in others)
            for signs in itertools.product((1, -1), repeat=values.shape[1])
        ]
        found.append(np.mean(np.array(largest) >= largest[0] - 1e-9))
    return found


@pytest.mark.parametrize(("activations", "seeds"), [(2, 5), (3, 6), (5, 7)])
def test_is_the_share_of_all_flips(activations, seeds):
    values = np.random.default_rng(seeds).normal(size=(activations, seeds)) + np.arange(activations)[:, None] / 2
    np.testing.assert_allclose(chances_of_best(values), chances_by_hand(values), atol=1e-12)


def test_of_two_it_is_the_one_sided_permutation_test_of_scipy():
    a, b = np.random.default_rng(3).normal(size=(2, 9)) + np.array([[0.0], [0.6]])
    exact = stats.permutation_test((b, a), lambda x, y: np.mean(x - y), permutation_type="samples",
                                   alternative="greater", n_resamples=np.inf)  # fmt: skip
    assert chances_of_best([a, b])[0] == pytest.approx(exact.pvalue, abs=1e-12)


@pytest.mark.parametrize("seeds", [10, 30])
def test_the_order_of_the_seeds_does_not_matter(seeds):
    generator = np.random.default_rng(0)
    values = generator.normal(size=(4, seeds))
    expected = chances_of_best(values)
    for _ in range(5):
        assert (chances_of_best(values[:, generator.permutation(seeds)]) == expected).all()


def test_drawn_flips_come_close_to_all_of_them(monkeypatch):
    values = np.random.default_rng(5).normal(size=(4, 14)) + np.array([[0.0], [0.2], [0.4], [0.5]])
    drawn = chances_of_best(values)
    monkeypatch.setattr("actlab.statistics.sign_flips.EXACT_SEEDS", 14)
    exact = chances_of_best(values)
    # Four standard errors of a share of 4,096 flips.
    assert (np.abs(drawn - exact) <= 4 * np.sqrt(exact * (1 - exact) / 4096) + 1e-3).all()


def test_fewer_seeds_cannot_leave_any_out():
    clear = np.array([[0.1], [0.9]]) + np.random.default_rng(0).normal(size=(2, 5)) / 1000
    assert chances_of_best(clear)[0] <= ALPHA < chances_of_best(clear[:, 1:])[0]


def test_equal_functions_may_all_be_the_best():
    """As the same function under two names gives them: the same number with every seed, but for rounding."""
    own = np.random.default_rng(1).uniform(0.9, 1, size=10)
    assert chances_of_best([own, own, own + 1e-9]).tolist() == [1, 1, 1]


def test_a_step_of_the_test_set_is_no_certainty():
    """With one seed of ten a single sample of 360 more: no differences elsewhere, and none that counts."""
    own = np.full(10, 0.95)
    ahead = own + np.r_[1 / 360, np.zeros(9)]
    assert (chances_of_best([own, ahead], step=1 / 360) > ALPHA).all()


@pytest.mark.parametrize(("activations", "seeds"), [(2, 5), (3, 10), (8, 10)])
def test_the_best_is_kept_as_often_as_promised(activations, seeds):
    """Equal functions: each is as good as any, and the first is lost in at most one of twenty studies."""
    generator = np.random.default_rng(activations)
    lost = [chances_of_best(generator.normal(size=(activations, seeds)))[0] <= ALPHA for _ in range(600)]
    # Four standard errors above the promise.
    assert np.mean(lost) <= ALPHA + 4 * math.sqrt(ALPHA * (1 - ALPHA) / 600)


def test_ten_seeds_tell_the_worst_of_eight():
    """Where pairwise tests, corrected, cannot tell any pair: the digits' means and deviations, in points."""
    means = np.array([97.3, 97.2, 97.0, 96.9, 96.9, 96.8, 96.5, 94.5])
    generator = np.random.default_rng(0)
    left = [chances_of_best(generator.normal(means[:, None], 0.3, size=(8, 10))) > ALPHA for _ in range(100)]
    assert np.mean(left, axis=0)[-1] == 0
    assert np.mean(np.sum(left, axis=1)) < 6


FINALS = {"sigmoid": 0.80, "tanh": 0.909, "relu": 0.91}


class TestInTheSummary:
    def summary(self, path, **settings):
        noise = np.random.default_rng(0).normal(size=(3, 10)) / 200

        def accuracy(member):
            return FINALS[member.activation] + noise[list(FINALS).index(member.activation), member.seed]

        return summarise(record(path, metrics={"test_accuracy": accuracy}, **settings))

    def test_what_may_be_the_best_and_what_is_not(self, tmp_path):
        found = self.summary(tmp_path / "run")
        assert (found["best_set"], found["not_best"], found["not_compared"]) == (["relu", "tanh"], ["sigmoid"], [])
        assert found["best_seeds"] == 10
        assert {row["name"]: row["best_p"] > ALPHA for row in found["activations"]} == {
            "relu": True, "tanh": True, "sigmoid": False,
        }  # fmt: skip
        assert found["headline"].startswith("Highest mean: relu, test accuracy")
        assert "May be the best: relu and tanh. Not the best (95 %): sigmoid." in found["headline"]

    def test_what_mostly_diverged_is_in_no_comparison(self, tmp_path):
        diverged = {("sigmoid", 0.05, seed): (2, "lost") for seed in range(6)}
        found = self.summary(tmp_path / "run", diverged=diverged)
        assert (found["not_compared"], found["best_seeds"]) == (["sigmoid"], 10)
        rows = [row for row in found["comparisons"] if "sigmoid" in (row["a"], row["b"])]
        assert {(row["difference"], row["p"], row["pairs"]) for row in rows} == {(None, None, 0)}
        (pairs,) = [finding for finding in found["findings"] if finding["code"] == "within_noise"]
        assert "sigmoid" not in pairs["sentence"]

    def test_seeds_that_did_not_train_with_all_are_left_out_and_said(self, tmp_path):
        found = self.summary(tmp_path / "run", diverged={("tanh", 0.05, 4): (2, "lost")})
        assert found["best_seeds"] == 9
        assert "over the 9 seeds that trained with all of them" in found["headline"]

    def test_what_is_left_is_named_where_another_has_the_highest_mean(self, tmp_path):
        """tanh is a little ahead with every seed that relu trained with; relu has the others, which are easy."""

        def accuracy(member):
            easy = 0.2 * (member.seed >= 8)
            return 0.7 + easy + 0.001 * member.seed + 0.01 * (member.activation == "tanh")

        diverged = {("tanh", 0.05, seed): (2, "lost") for seed in (8, 9)}
        made = record(
            tmp_path / "run",
            study(activations=("relu", "tanh")),
            metrics={"test_accuracy": accuracy},
            diverged=diverged,
        )
        found = summarise(made)
        assert (found["activations"][0]["name"], found["best_set"]) == ("relu", ["tanh"])
        assert found["headline"].startswith("Highest mean: relu")
        assert "the 8 seeds that trained with all of them: tanh. Not the best (95 %): relu." in found["headline"]

    def test_four_seeds_leave_none_out(self, tmp_path):
        found = self.summary(tmp_path / "run", made_up=study(seeds=4))
        assert found["not_best"] == []
        assert "Which may be the best, 4 seeds cannot say: at least 6 are needed." in found["headline"]
