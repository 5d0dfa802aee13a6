"""What an objective declares besides the loss, beside scikit-learn on the same predictions."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    roc_auc_score,
)
from tests.synthetic_recording import record, study

import actlab
from actlab import engine
from actlab.layers import Act, Dense
from actlab.objectives import ACCURACY, BALANCED, CLASSES, log_odds, objective_named, usual_lead
from actlab.plan.evaluation import classes_alike
from actlab.replay.forward import hidden
from actlab.statistics import summarise
from actlab.statistics.selection import step_of
from actlab.study import Study
from actlab.tasks.task import build

RATE = {"learning_rates": [0.05], "epochs": 3, "seeds": 2, "batch": 16}


def unequal(classes, samples, rng):
    """Class 0 most often, each class at least twice."""
    y = np.concatenate([np.repeat(np.arange(classes), 2), np.zeros(samples, int)])
    return rng.permuted(np.where(rng.random(len(y)) < 0.2, rng.integers(0, classes, len(y)), y))


def scores(objective, logits, y):
    """Each metric's mean over the samples, classes weighing alike where they are to."""
    axis_of_class = classes_alike(y, np.ones(len(y), bool), max(2, logits.shape[1])).astype(float)
    found = {}
    for metric in objective.metrics:
        own = np.asarray(metric.score(logits, y, np, 1), dtype=float)
        weights = axis_of_class if metric.by_class else np.ones(len(y))
        found[metric.name] = float((own * weights).mean())
    return found


def independent(logits, y):
    """The same by scikit-learn."""
    two = np.concatenate([np.zeros((len(logits), 1)), logits], axis=1) if logits.shape[1] == 1 else logits
    powers = np.exp(two - two.max(axis=1, keepdims=True))
    shares, labels = powers / powers.sum(axis=1, keepdims=True), list(range(two.shape[1]))
    decided = shares.argmax(axis=1)
    return {
        "loss": log_loss(y, shares, labels=labels),
        "accuracy": accuracy_score(y, decided),
        "balanced_accuracy": balanced_accuracy_score(y, decided),
        "brier": brier_score_loss(y, shares, labels=labels, scale_by_half=False),
    }


@pytest.mark.parametrize(("name", "outputs"), [("binary", 1), ("classes", 2), ("classes", 5)])
def test_metrics_equal_scikit_learn(name, outputs):
    rng = np.random.default_rng(outputs)
    y = unequal(max(outputs, 2), 200, rng)
    logits = rng.normal(scale=2, size=(len(y), outputs))
    found, wanted = scores(objective_named(name, 0), logits, y), independent(logits, y)
    assert found.keys() == wanted.keys()
    for metric, value in wanted.items():
        # The balanced weights are float32, as the devices take them.
        assert found[metric] == pytest.approx(value, rel=1e-6 if metric == "balanced_accuracy" else 1e-12), metric


@pytest.mark.parametrize(("outputs", "classes"), [(1, 2), (2, 2), (4, 4)])
def test_what_is_recorded_is_that_of_the_networks_on_each_part(outputs, classes, tmp_path):
    rng = np.random.default_rng(7)

    def part(count):
        y = unequal(classes, count, rng)
        return rng.normal(size=(len(y), 3)) + y[:, None], y

    task = build("made-up", part(150), part(40), part(60), provenance="made up")
    asked = Study(task="made-up", network=(Dense(6), Act(), Dense(outputs)), activations=["tanh", "relu"], **RATE)
    recording = engine.train(asked, tmp_path / "run", task=task)
    declared = {metric["name"] for metric in recording.facts["metrics"]}
    assert declared == {"loss", "accuracy", "balanced_accuracy", "brier"}
    for column, member in enumerate(recording.members):
        weights = recording.weights(member, recording.epochs)
        for name in ("train", "validation", "test"):
            x, y = getattr(task, f"x_{name}"), getattr(task, f"y_{name}")
            wanted = independent(hidden(recording.network(member.activation), weights, x)[1].astype(float), y)
            for metric, value in wanted.items():
                found = recording.metrics[f"{name}_{metric}"][-1, column]
                assert found == pytest.approx(value, rel=2e-5, abs=2e-6), (name, metric)


def test_a_class_without_samples_weighs_nothing():
    y, part = np.array([0, 0, 2, 2, 2, 1]), np.array([True] * 5 + [False])
    weights = classes_alike(y, part, 4)
    assert weights.tolist() == pytest.approx([1.25, 1.25, 5 / 6, 5 / 6, 5 / 6, 0])
    right = np.array([1, 0, 1, 1, 0, 1])
    assert (weights * right).sum() / 5 == pytest.approx(balanced_accuracy_score(y[:5], np.where(right, y, 2 - y)[:5]))
    assert not classes_alike(y, np.zeros(6, bool), 4).any()


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [([50, 50], "accuracy"), ([80, 20], "accuracy"), ([81, 20], "balanced_accuracy"), ([30, 1], "balanced_accuracy"),
     ([40, 10, 10], "accuracy"), ([41, 10, 10], "balanced_accuracy"), ([], "accuracy"), ([7], "accuracy")],
)  # fmt: skip
def test_balanced_accuracy_leads_where_one_class_is_most_of_the_samples(counts, wanted):
    assert usual_lead([metric.to_dict() for metric in CLASSES.metrics], counts) == wanted


def test_it_is_said_and_can_be_turned(tmp_path):
    facts = {"class_counts": [190.0, 10.0], "classes": ["no", "yes"], "test_class_counts": [95, 5],
             "samples": {"train": 200, "validation": 50, "test": 100}}  # fmt: skip
    values = {
        "test_accuracy": lambda m: 0.95 + 0.001 * m.seed,
        "test_balanced_accuracy": lambda m: (0.5 if m.activation == "relu" else 0.8) + 0.001 * m.seed,
        "validation_balanced_accuracy": lambda m: 0.5 if m.activation == "relu" else 0.8,
    }
    asked = study(activations=["relu", "tanh"], seeds=8)
    recording = record(tmp_path / "run", asked, metrics=values, facts=facts)
    summary = summarise(recording)
    assert recording.lead == BALANCED
    assert summary["lead"]["name"] == "balanced_accuracy"
    assert summary["headline"].startswith("tanh is best: test balanced accuracy 80.")
    (note,) = [note for note in summary["notes"] if note.startswith("Balanced accuracy leads")]
    assert "95.0 % of the training samples are 'no'" in note
    assert "--metric accuracy" in note
    recording.lead_by("accuracy")
    turned = summarise(recording)
    assert recording.lead == ACCURACY
    assert not [note for note in turned["notes"] if note.startswith("Balanced")]
    assert turned["headline"].startswith("At chance")


def test_a_balanced_accuracy_has_the_resolution_of_its_most_frequent_class(tmp_path):
    """One of 95 samples of one of two classes is 0.53 points: no interval is narrower than its rounding."""
    facts = {"class_counts": [190.0, 10.0], "classes": ["no", "yes"], "test_class_counts": [95, 5]}
    recording = record(tmp_path / "run", study(activations=["relu", "tanh"], seeds=8), facts=facts,
                       metrics={"test_balanced_accuracy": 0.8})  # fmt: skip
    assert step_of(recording, "test_balanced_accuracy") == pytest.approx(1 / 190)
    low, high = summarise(recording)["activations"][0]["test_balanced_accuracy"]["ci95"]
    half = stats.t.ppf(0.975, 7) * (1 / 190) / np.sqrt(12) / np.sqrt(8)
    assert (low, high) == pytest.approx((0.8 - half, 0.8 + half))


def test_a_finished_study_is_shown_by_another_metric_and_not_trained_again(tmp_path):
    asked = Study(task="parabolas", network=(Dense(2), Act(), Dense(1)), activations=["tanh", "relu"], **RATE)
    actlab.run(asked, tmp_path / "run", progress=lambda _: None)
    turned = actlab.run(
        asked.model_copy(update={"metric": "brier"}), tmp_path / "run", progress=lambda _: pytest.fail("trained")
    )
    assert turned.lead.name == "brier"
    assert json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))["lead"]["name"] == "brier"


def test_seeds_that_cannot_tell_it_from_one_class_are_said_to_be_few(tmp_path):
    facts = {"class_counts": [190.0, 10.0], "classes": ["no", "yes"], "test_class_counts": [95, 5]}
    values = {"test_balanced_accuracy": lambda m: 0.45 + 0.3 * (m.seed % 2)}
    recording = record(tmp_path / "run", study(activations=["relu", "tanh"], seeds=8), metrics=values, facts=facts)
    assert "At chance: the seeds tell none from the 50.0 % of always naming" in summarise(recording)["headline"]


def test_a_balanced_accuracy_of_one_class_alone_is_at_chance(tmp_path):
    facts = {"class_counts": [190.0, 10.0], "classes": ["no", "yes"], "test_class_counts": [95, 5]}
    values = {"test_balanced_accuracy": lambda m: 0.49 + 0.02 * (m.seed % 2)}
    recording = record(tmp_path / "run", study(activations=["relu", "tanh"], seeds=8), metrics=values, facts=facts)
    assert "At chance: none is above the 50.0 % of always naming one class" in summarise(recording)["headline"]


def derived(name, logits, y):
    return {metric.name: metric.value(logits, y) for metric in objective_named(name, 0).derived}


@pytest.mark.parametrize(("name", "outputs"), [("binary", 1), ("classes", 2), ("classes", 5)])
def test_metrics_of_all_predictions_equal_scikit_learn(name, outputs):
    rng = np.random.default_rng(outputs)
    y = unequal(max(outputs, 2), 200, rng)
    logits = rng.normal(scale=2, size=(len(y), outputs))
    # Of two classes to eighths: many samples are as near to a class as others.
    logits = (8 * logits).round() / 8 if outputs < 3 else logits
    two = np.concatenate([np.zeros((len(y), 1)), logits], axis=1) if outputs == 1 else logits
    powers = np.exp(two)
    shares = powers / powers.sum(axis=1, keepdims=True)
    one_hot = y[:, None] == np.arange(two.shape[1])
    ranked = (y, shares[:, 1].round(14)) if two.shape[1] == 2 else (one_hot, shares)
    assert derived(name, logits, y) == pytest.approx(
        {
            "macro_f1": f1_score(y, two.argmax(axis=1), average="macro"),
            "roc_auc": roc_auc_score(*ranked),
            "average_precision": average_precision_score(*ranked),
        },
        rel=1e-12,
    )
    wanted = np.log(shares) - np.log1p(-shares)
    np.testing.assert_allclose(log_odds(logits), wanted, rtol=1e-9, atol=1e-9)


def test_samples_that_are_all_but_certain_are_still_in_order():
    """As probabilities all would be 1 but for rounding, and the order be lost."""
    y, logits = np.array([0, 1, 0, 1]), np.array([[40.0], [41.0], [42.0], [43.0]])
    two = np.concatenate([np.zeros((4, 1)), logits], axis=1)
    assert derived("binary", logits, y)["roc_auc"] == derived("classes", two, y)["roc_auc"] == roc_auc_score(y, logits)
    assert roc_auc_score(y, 1 / (1 + np.exp(-logits))) == 0.5


def made_up_outputs(asked, labels, strength):
    """Outputs of two classes for all members: the logits of each are as far apart as its activation's strength."""
    rng = np.random.default_rng(0)
    outputs = rng.normal(size=(len(asked.activations) * len(asked.seeds), len(labels), 2))
    for place, name in enumerate(asked.activations):
        own = slice(place * len(asked.seeds), (place + 1) * len(asked.seeds))
        outputs[own, np.arange(len(labels)), labels] += strength[name]
    return outputs


ONE_IN_FIVE = {"class_counts": [160.0, 40.0], "classes": ["no", "yes"], "test_class_counts": [80, 20]}
LABELS = np.repeat([0, 1], [80, 20])


@pytest.mark.parametrize(
    ("name", "baseline", "said"),
    [("roc_auc", 0.5, "0.500"), ("average_precision", 0.2, "0.200"), ("macro_f1", 80 / 180, "44.4 %")],
)
def test_they_lead_and_are_held_against_one_class(name, baseline, said, tmp_path):
    asked = study(activations=["relu", "tanh"], seeds=8, metric=name)
    outputs = made_up_outputs(asked, LABELS, {"relu": 1.0, "tanh": 3.0})
    recording = record(tmp_path / "run", asked, facts=ONE_IN_FIVE, tested=(outputs, LABELS))
    summary = summarise(recording)
    assert summary["majority"][f"test_{name}"] == pytest.approx(baseline)
    title = summary["lead"]["title"]
    assert summary["headline"].startswith(f"tanh is best: test {title} ")
    assert [row["name"] for row in summary["activations"]] == ["tanh", "relu"]
    assert {row["metric"] for row in summary["comparisons"]} == {f"test_{name}", "test_loss"}
    (note,) = (note for note in summary["notes"] if "after the last epoch alone" in note)
    assert note.endswith("curves show accuracy, and there are no epochs to a target.")
    assert not [note for note in summary["notes"] if note.startswith("Epochs to target")]
    assert summary["activations"][0]["epochs_to_target"]["target"] is None
    useless = made_up_outputs(asked, LABELS, {"relu": 0.0, "tanh": 0.0})
    recording = record(tmp_path / "useless", asked, facts=ONE_IN_FIVE, tested=(useless, LABELS))
    if name != "macro_f1":
        assert f"the {said} of always naming 'no'" in summarise(recording)["headline"]


def test_what_is_computed_at_the_end_leaves_other_leads_as_they_are(tmp_path):
    asked = study(activations=["relu", "tanh"], seeds=8)
    outputs = made_up_outputs(asked, LABELS, {"relu": 1.0, "tanh": 3.0})
    whole = record(tmp_path / "a", asked, facts=ONE_IN_FIVE, tested=(outputs, LABELS))
    with_outputs = summarise(whole, derived=True)
    facts = ONE_IN_FIVE | {"samples": {"train": 200, "validation": 50, "test": 100}}
    without = summarise(record(tmp_path / "b", asked, facts=facts))
    assert with_outputs["lead"] == without["lead"]
    assert with_outputs["notes"] == without["notes"]
    assert {row["metric"] for row in with_outputs["comparisons"]} == {"test_accuracy", "test_loss"}
    assert set(with_outputs["activations"][0]) - set(without["activations"][0]) == {
        "test_macro_f1",
        "test_roc_auc",
        "test_average_precision",
    }
    # They take as long as all else: a report does without.
    assert summarise(whole)["activations"][0].keys() == without["activations"][0].keys()
