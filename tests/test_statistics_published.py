"""Published numbers beside recordings made up so that the answer is known."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import stats
from tests.synthetic_recording import record

from actlab.layers import Act, Dense
from actlab.recipes import RECIPES, Published, recipe
from actlab.statistics import summarise, verdict
from actlab.statistics.intervals import mean_interval
from actlab.statistics.published import compare_published

FINALS = [0.90, 0.91, 0.92, 0.93, 0.95]
MEAN = float(np.mean(FINALS))


def recorded(tmp_path, name="parabolas", *, accuracy=FINALS, last_epoch=None, **settings):
    """A recording of a recipe's study with fewer seeds, whose test accuracy is `accuracy` seed by seed."""
    chosen = recipe(name).study
    made_up = chosen.model_copy(update={"seeds": tuple(range(len(accuracy))), **settings})
    metrics = {name: lambda m: accuracy[m.seed] for name in ("test_accuracy", "validation_accuracy")}
    complete = last_epoch is None
    return record(tmp_path / "run", made_up, metrics=metrics, last_epoch=last_epoch, complete=complete)


def test_a_number_where_one_more_seed_would_lie_agrees(tmp_path):
    (row,) = compare_published(recorded(tmp_path), [Published("test_accuracy", 0.945, "tanh")])
    assert (row["metric"], row["activation"], row["epoch"], row["published"]) == ("test_accuracy", "tanh", 150, 0.945)
    assert row["measured"]["mean"] == pytest.approx(MEAN)
    assert row["measured"]["ci95"] == pytest.approx(mean_interval(FINALS))
    assert row["measured"]["count"] == 5
    assert (row["measured"]["low"], row["measured"]["high"]) == pytest.approx((0.90, 0.95))
    assert row["agrees"] is True
    assert row["sentence"] == (
        "tanh, test accuracy: published 0.945, measured 0.922 over 5 seeds (0.9 to 0.95): it lies where one more seed "
        "would."
    )


def test_a_number_outside_says_how_far(tmp_path):
    recording = recorded(tmp_path)
    below, above = compare_published(
        recording,
        [Published("test_accuracy", 0.852, "tanh"), Published("test_accuracy", 0.985, "relu", note="one seed")],
    )
    assert below["agrees"] is above["agrees"] is False
    low, high = stats.t.interval(0.95, 4, MEAN, np.std(FINALS, ddof=1) * np.sqrt(1 + 1 / 5))
    assert below["measured"]["one_more"] == pytest.approx((low, high))
    one_more = f"where one more seed would hardly (95 %: {low:.4g} to {high:.4g})."
    assert below["sentence"].endswith(f"it lies 0.07 below our mean, {one_more}")
    assert "published 0.985 (one seed), measured" in above["sentence"]
    assert above["sentence"].endswith(f"it lies 0.063 above our mean, {one_more}")


def test_more_seeds_do_not_make_it_easier_to_agree(tmp_path):
    """Of a thousand seeds one is as low as the published number, which is four standard deviations away."""
    accuracy = [0.9 + 0.001 * z for z in stats.norm.ppf((np.arange(200) + 0.5) / 200)]
    accuracy[0] = 0.895
    (row,) = compare_published(recorded(tmp_path, accuracy=accuracy), [Published("test_accuracy", 0.896, "tanh")])
    assert row["measured"]["low"] < 0.896
    assert row["agrees"] is False


@pytest.mark.parametrize(("value", "agrees", "word"), [(0.985, True, "within"), (0.84, False, "beyond")])
def test_the_tolerance_of_a_recipe_counts(tmp_path, value, agrees, word):
    published = [Published("test_accuracy", value, "tanh", tolerance=0.07)]
    (row,) = compare_published(recorded(tmp_path), published)
    assert row["agrees"] is agrees
    assert f"{word} the tolerance of 0.07" in row["sentence"]


def test_numbers_of_an_epoch_are_read_at_that_epoch(tmp_path):
    (row,) = compare_published(recorded(tmp_path), [Published("validation_accuracy", 0.71, "tanh", epoch=75)])
    # Straight from 0.5 to the last value: half-way at half time.
    assert row["measured"]["mean"] == pytest.approx((0.5 + MEAN) / 2)
    assert row["epoch"] == 75
    assert "validation accuracy after epoch 75" in row["sentence"]


def test_one_seed_cannot_judge_without_a_tolerance(tmp_path):
    recording = recorded(tmp_path, accuracy=[0.9])
    strict, lenient = compare_published(
        recording, [Published("test_accuracy", 0.9, "tanh"), Published("test_accuracy", 0.91, "tanh", tolerance=0.02)]
    )
    assert strict["agrees"] is None
    assert "one seed has no spread" in strict["sentence"]
    assert lenient["agrees"] is True
    assert lenient["measured"]["ci95"] is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 20}, "epochs 20 instead of 150"),
        ({"batch": 8}, "batch 8 instead of 16"),
        ({"learning_rates": (0.1,)}, "learning rate 0.1 instead of 0.05"),
        ({"network": (Dense(3), Act(), Dense(1))}, "another network"),
        ({"validation": "test"}, "validation test instead of held-out"),
    ],
    ids=["epochs", "batch", "rate", "network", "validation"],
)
def test_other_settings_are_said_and_not_compared(tmp_path, changes, words):
    recording = recorded(tmp_path, **changes)
    (row,) = compare_published(recording, [Published("test_accuracy", 0.92, "tanh", epoch=5)])
    assert row["agrees"] is None
    assert row["sentence"] == f"tanh, test accuracy after epoch 5: not compared, settings differ: {words}."
    assert row["measured"]["count"] == 5


def test_another_optimiser_is_said_with_its_numbers(tmp_path):
    from actlab.study import RMSProp

    (row,) = compare_published(recorded(tmp_path, optimiser=RMSProp()), [Published("test_accuracy", 0.92, "tanh")])
    assert "optimiser rmsprop 0.9 1e-08 instead of sgd 0" in row["sentence"]


def test_fewer_activations_and_seeds_are_the_same_experiment(tmp_path):
    recording = recorded(tmp_path, activations=("tanh",))
    (row,) = compare_published(recording, [Published("test_accuracy", 0.93, name) for name in ("relu", "tanh")])
    assert (row["activation"], row["agrees"]) == ("tanh", True)


def test_the_stated_rate_is_compared_where_rates_were_tuned(tmp_path):
    chosen = {"stated": {"sigmoid": 0.5, "tanh": 0.5, "relu": 0.5}}
    tuned = {"learning_rates": (0.05, 0.5), "stated_rate": 0.05, "tuning_seeds": (90,), "chosen_rates": chosen}
    made_up = recipe("parabolas").study.model_copy(update={"seeds": (0, 1, 2), **tuned})
    metrics = {"test_accuracy": lambda m: {0.05: 0.8, 0.5: 0.9}[m.learning_rate] + 0.01 * m.seed}
    recording = record(tmp_path / "run", made_up, metrics=metrics)
    (row,) = compare_published(recording, [Published("test_accuracy", 0.81, "tanh")])
    assert row["measured"]["mean"] == pytest.approx(0.81)
    assert row["agrees"] is True


def test_what_a_stopped_run_did_not_reach_is_not_measured(tmp_path):
    recording = recorded(tmp_path, last_epoch=10)
    early, late = compare_published(
        recording, [Published("validation_accuracy", 0.53, "tanh", epoch=10), Published("test_accuracy", 0.9, "tanh")]
    )
    assert early["measured"]["count"] == 5
    assert late["agrees"] is None
    assert late["measured"] == {"mean": pytest.approx(math.nan, nan_ok=True), "ci95": None, "count": 0} | dict.fromkeys(
        ("low", "high")
    )
    assert late["sentence"].endswith("not measured: the run ended after epoch 10.")


def test_diverged_members_are_left_out_and_none_left_is_said(tmp_path):
    made_up = recipe("parabolas").study.model_copy(update={"seeds": (0, 1, 2)})
    diverged = {("tanh", 0.05, 0): (3, "lost")} | {("relu", 0.05, seed): (3, "lost") for seed in range(3)}
    metrics = {"test_accuracy": lambda m: FINALS[m.seed]}
    recording = record(tmp_path / "run", made_up, metrics=metrics, diverged=diverged)
    tanh, relu = compare_published(recording, [Published("test_accuracy", 0.9, name) for name in ("tanh", "relu")])
    assert tanh["measured"]["count"] == 2
    assert tanh["measured"]["mean"] == pytest.approx(0.915)
    assert relu["sentence"].endswith("not measured: all members diverged.")


# Milestones.


def waited(tmp_path, epochs, seeds=4):
    """tanh gets everything right at `epochs`, seed by seed; never where None."""
    made_up = recipe("parabolas").study.model_copy(update={"seeds": tuple(range(seeds)), "activations": ("tanh",)})
    recording = record(tmp_path / "run", made_up)
    accuracy = np.full((151, seeds), 0.9)
    for seed, epoch in enumerate(epochs):
        if epoch is not None:
            accuracy[epoch:, seed] = 1
    recording.metrics["train_accuracy"] = accuracy
    return recording


def test_milestones_give_median_and_share(tmp_path):
    published = [Published("milestone:all right", 69, "tanh", note="one seed")]
    (row,) = compare_published(waited(tmp_path, [60, 80, 100, None]), published)
    measured = row["measured"]
    assert (measured["median"], measured["reached"], measured["count"]) == (90, 0.75, 3)
    assert (measured["low"], measured["high"], measured["mean"]) == (60, 100, 80)
    assert row["agrees"] is True
    assert row["sentence"] == (
        "tanh, all right: published 69 (one seed), measured: 3 of 4 seeds get there, from epoch 60 to 100, and the "
        "median seed gets there at epoch 90; 25 % of all seeds are there by the published epoch, 50 % are at least as "
        "extreme."
    )


def test_a_milestone_earlier_than_all_seeds_does_not_agree(tmp_path):
    (row,) = compare_published(waited(tmp_path, [60, 80, None, None]), [Published("milestone:all right", 50, "tanh")])
    assert row["agrees"] is False
    assert "the median seed never does; 0 % of all seeds" in row["sentence"]
    assert math.isinf(row["measured"]["median"])


def test_a_milestone_that_no_seed_reaches(tmp_path):
    (row,) = compare_published(waited(tmp_path, [None] * 4), [Published("milestone:all right", 50, "tanh")])
    assert (row["agrees"], row["measured"]["reached"]) == (False, 0)
    assert row["sentence"].endswith("none of 4 seeds gets there.")


def test_a_milestone_that_the_study_does_not_wait_for_is_left_out(tmp_path):
    recording = recorded(tmp_path, milestones=())
    assert compare_published(recording, [Published("milestone:all right", 69, "tanh")]) == []


# The recipes themselves.


def test_a_study_of_no_recipe_has_nothing_published(tmp_path):
    recording = record(tmp_path / "run")
    assert compare_published(recording, [Published("test_accuracy", 0.9, "tanh")]) == []
    assert summarise(recording)["published"] == []


def test_the_summary_holds_the_numbers_of_the_recipe(tmp_path):
    summary = summarise(recorded(tmp_path))
    wanted = [(value.metric, value.activation, value.value) for value in RECIPES["parabolas"].published]
    assert [(row["metric"], row["activation"], row["published"]) for row in summary["published"]] == wanted
    assert json.loads(json.dumps(summary["published"], allow_nan=False)) == summary["published"]


def test_before_the_first_epoch_was_recorded_there_is_nothing_to_compare(tmp_path):
    assert compare_published(recorded(tmp_path, last_epoch=-1)) == []


def test_how_many_agree():
    rows = [{"agrees": agrees} for agrees in (True, True, False, False, None, None)]
    assert verdict(rows) == ("Of 6 published numbers 2 agree with ours, 2 do not, 2 cannot be compared.")
    assert verdict(rows[:2]) == "Of 2 published numbers 2 agree with ours."
    assert verdict([]) == ""
