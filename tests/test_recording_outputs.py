"""The outputs for the test samples after the last epoch: those of networks computed anew, and what is made of them."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix, f1_score, roc_auc_score
from tests.test_recording_migrations import FOLDER, RECORDINGS

import actlab
from actlab import engine
from actlab.engine import kept
from actlab.engine.program import build as build_program
from actlab.errors import InvalidRecording
from actlab.laboratory import sequential, write_results
from actlab.layers import Act, Dense
from actlab.plan import evaluation
from actlab.plan.population import populations
from actlab.recording import Member, Segment, checks
from actlab.replay.forward import hidden
from actlab.statistics import reported, summarise
from actlab.statistics.confusion import confusion
from actlab.study import SGD, Study, complete
from actlab.tasks.task import build, build_numbers

DERIVED = ("macro_f1", "roc_auc", "average_precision")


def points(count, classes, seed):
    """Points in classes that overlap, in no order."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, count)
    y[:classes] = np.arange(classes)
    return rng.normal(size=(count, 2)) + np.stack([np.cos(y), np.sin(y)], axis=1), y


def task_of(classes, test=None):
    test = points(37, classes, 3) if test is None else test
    return build("made-up", points(80, classes, 1), points(20, classes, 2), test, provenance="made up")


def study_of(outputs, **settings):
    usual = {"network": (Dense(4), Act(), Dense(outputs)), "activations": ["tanh", "maxout", "relu"], "seeds": 2}
    return Study(**{"task": "made-up", "epochs": 3, "optimiser": SGD(), "learning_rates": [0.1], **usual} | settings)


def anew(recording, member, x):
    """Outputs of a member's recorded weights, in NumPy."""
    return hidden(recording.network(member.activation), recording.weights(member, recording.epochs), x)[1]


def independent(outputs, y):
    """The derived metrics by scikit-learn from probabilities, as of its classifiers."""
    if outputs.shape[1] == 1:
        shares = 1 / (1 + np.exp(-outputs[:, 0].astype(float)))
        decided = shares > 0.5
        values = roc_auc_score(y, shares), average_precision_score(y, shares)
    else:
        powers = np.exp(outputs.astype(float))
        shares = powers / powers.sum(axis=1, keepdims=True)
        decided = shares.argmax(axis=1)
        if outputs.shape[1] == 2:
            values = roc_auc_score(y, shares[:, 1]), average_precision_score(y, shares[:, 1])
        else:
            values = roc_auc_score(y, shares, multi_class="ovr"), average_precision_score(y, shares)
    return dict(zip(DERIVED, (f1_score(y, decided, average="macro"), *values), strict=True)), decided


@pytest.mark.parametrize(("outputs", "classes"), [(1, 2), (2, 2), (4, 4)])
def test_outputs_metrics_and_confusions_are_those_of_networks_computed_anew(outputs, classes, tmp_path):
    """maxout has weights of another shape, so that members are of two populations."""
    task = task_of(classes)
    recording = engine.train(study_of(outputs), tmp_path / "run", task=task)
    assert recording.outputs.shape == (6, 37, outputs)
    assert (recording.outputs.dtype, recording.test_targets.dtype) == (np.float32, np.int32)
    np.testing.assert_array_equal(recording.test_targets, task.y_test)
    summary = summarise(recording, derived=True)
    decided = {}
    for column, member in enumerate(recording.members):
        wanted = anew(recording, member, task.x_test)
        np.testing.assert_allclose(recording.outputs[column], wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())
        scores, decided[column] = independent(recording.outputs[column], task.y_test)
        row = next(row for row in summary["activations"] if row["name"] == member.activation)
        for name, value in scores.items():
            assert recording.values(f"test_{name}")[-1, column] == pytest.approx(value, rel=1e-12), name
            assert row[f"test_{name}"]["values"][row["seeds"].index(member.seed)] == pytest.approx(value, rel=1e-12)
        assert (decided[column] == task.y_test).mean() == pytest.approx(recording.metrics["test_accuracy"][-1, column])
        np.testing.assert_array_equal(decided[column] == task.y_test, recording.right[column])
    for entry in reported(recording):
        wanted = np.mean([confusion_matrix(task.y_test, decided[column]) for column in entry.columns], axis=0)
        np.testing.assert_allclose(confusion(recording, entry), wanted)
        row = next(row for row in summary["activations"] if row["name"] == entry.activation)
        np.testing.assert_allclose(row["confusion"], wanted)


def test_outputs_of_numbers_are_standardised_predictions(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    parts = [(x := rng.normal(size=(n, 2)), np.stack([x[:, 0] * 50 + 7, x[:, 1]], axis=1)) for n in (60, 20, 30)]
    task = build_numbers("made-up", *parts, provenance="made up")
    monkeypatch.setattr(evaluation, "SLICE_NUMBERS", 2_000)
    recording = engine.train(study_of(2), tmp_path / "run", task=task)
    assert recording.right is None
    np.testing.assert_array_equal(recording.test_targets, task.y_test)
    for column, member in enumerate(recording.members):
        wanted = anew(recording, member, task.x_test)
        np.testing.assert_allclose(recording.outputs[column], wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())
    assert recording.derived == {}
    assert [row["confusion"] for row in summarise(recording)["activations"]] == [None] * 3
    with pytest.raises(actlab.errors.UnknownName, match="unknown metric 'roc_auc': known: loss, mae, r2, rmse"):
        recording.lead_by("roc_auc")


def test_who_diverged_has_none(tmp_path):
    task = task_of(2)
    asked = study_of(1, activations=["relu", "square"], learning_rates=[300.0], network=(Dense(4), Act(), Dense(1)))
    recording = engine.train(asked, tmp_path / "run", task=task)
    gone = np.array([member.diverged_epoch is not None for member in recording.members])
    assert gone.any()
    assert np.isnan(recording.outputs[gone]).all()
    assert not np.isnan(recording.outputs[~gone]).any()
    assert np.isnan(recording.values("test_roc_auc")[-1, gone]).all()
    entry = reported(recording)[1]
    assert all(gone[list(entry.columns)])
    assert confusion(recording, entry) is None
    row = next(row for row in summarise(recording, derived=True)["activations"] if row["name"] == entry.activation)
    assert (row["test_roc_auc"]["mean"], row["confusion"]) == (None, None)


def test_of_classes_that_the_test_part_lacks_nothing_is_asked(tmp_path):
    x, y = points(40, 4, 5)
    task = task_of(4, (x[y != 2], y[y != 2]))
    recording = engine.train(study_of(4, activations=["tanh"]), tmp_path / "run", task=task)
    for column in range(2):
        powers = np.exp(recording.outputs[column].astype(float))
        shares, present = powers / powers.sum(axis=1, keepdims=True), [0, 1, 3]
        one_hot = task.y_test[:, None] == present
        wanted = {
            "macro_f1": f1_score(task.y_test, shares.argmax(axis=1), labels=present, average="macro"),
            "roc_auc": roc_auc_score(one_hot, shares[:, present], average="macro"),
            "average_precision": average_precision_score(one_hot, shares[:, present], average="macro"),
        }
        for name, value in wanted.items():
            assert recording.values(f"test_{name}")[-1, column] == pytest.approx(value, rel=1e-12), name
    majority = summarise(recording, derived=True)["majority"]
    assert majority["test_roc_auc"] == 0.5
    assert majority["test_average_precision"] == pytest.approx(1 / 3)


def test_of_one_class_alone_two_are_not_defined(tmp_path):
    x, y = points(40, 2, 5)
    task = task_of(2, (x[y == 1], y[y == 1]))
    asked = study_of(1, activations=["tanh", "relu"], metric="roc_auc")
    recording = engine.train(asked, tmp_path / "run", task=task)
    assert recording.lead.name == "accuracy"
    summary = summarise(recording)
    assert "ROC AUC is not defined: all test samples are of class '1'; accuracy leads." in summary["notes"]
    assert "Average precision is not defined: all test samples are of class '1'." in summary["notes"]
    held = set(summarise(recording, derived=True)["activations"][0])
    assert {"test_roc_auc", "test_average_precision", "test_macro_f1"} & held == {"test_macro_f1"}
    right = recording.right.mean(axis=1)
    np.testing.assert_allclose(recording.values("test_macro_f1")[-1], 2 * right / (1 + right))
    with pytest.raises(InvalidRecording, match="average precision is not defined: all test samples are of class '1'"):
        recording.lead_by("average_precision")


def test_too_many_numbers_are_not_recorded_and_that_is_said_to_who_asks(tmp_path, monkeypatch):
    task, asked = task_of(2), study_of(1, activations=["tanh", "relu"])
    monkeypatch.setattr(evaluation, "OUTPUT_NUMBERS", 2 * 2 * 37 * 1)
    assert engine.train(asked, tmp_path / "all", task=task).outputs is not None
    monkeypatch.setattr(evaluation, "OUTPUT_NUMBERS", 2 * 2 * 37 * 1 - 1)
    recording = engine.train(asked, tmp_path / "none", task=task)
    assert recording.outputs is None
    assert recording.test_targets is None
    assert recording.right.shape == (4, 37)
    summary = summarise(recording)
    assert not any("outputs" in note for note in summary["notes"])
    assert "test_roc_auc" not in summary["activations"][0]
    recording = engine.train(asked.model_copy(update={"metric": "roc_auc"}), tmp_path / "asked", task=task)
    (note,) = (note for note in summarise(recording)["notes"] if note.startswith("ROC AUC takes the outputs"))
    assert note.endswith("has too many networks (fewer seeds or activations); accuracy leads.")
    with pytest.raises(InvalidRecording, match="--metric accuracy is known"):
        recording.lead_by("macro_f1")
    # A finished study is shown and not trained again, and says the same.
    again = actlab.run(asked.model_copy(update={"metric": "macro_f1"}), tmp_path / "none", task=task,
                       progress=lambda _: pytest.fail("trained"))  # fmt: skip
    assert again.lead.name == "accuracy"
    assert any(note.startswith("Macro F1 takes the outputs") for note in again.summary["notes"])


def test_a_kept_program_that_leaves_no_outputs_is_another_one(monkeypatch):
    task, keys = task_of(2), []
    asked = complete(study_of(1, activations=["tanh"]), task)
    monkeypatch.setattr(kept, "key_of", lambda *of: keys.append(repr(of)))
    for bound in (2**25, 0):
        monkeypatch.setattr(evaluation, "OUTPUT_NUMBERS", bound)
        (population,) = populations(asked, (2,))
        build_program(asked, evaluation.prepare(asked, task), population, 4)
    assert keys[0] != keys[1]


@pytest.mark.parametrize("name", [name for name in RECORDINGS if not name.endswith("stopped")])
def test_recordings_of_earlier_versions_do_without(name, tmp_path):
    recording = actlab.load(shutil.copytree(FOLDER / name, tmp_path / "run"))
    assert (recording.outputs, recording.test_targets, dict(recording.derived)) == (None, None, {})
    assert recording.declared_metrics == recording.facts["metrics"]
    write_results(recording)
    assert "Which classes are mixed up" not in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert [row["confusion"] for row in summary["activations"]] == [None] * len(summary["activations"])
    with pytest.raises(InvalidRecording, match="an earlier version"):
        recording.lead_by("roc_auc")


def test_seeds_that_are_added_are_joined(tmp_path, monkeypatch):
    monkeypatch.setattr(sequential, "enough", lambda joined: "most" if len(joined.study.seeds) == 16 else None)
    task, settings = task_of(2), {"metric": "average_precision"}
    added = actlab.run(study_of(1, seeds="auto", most_seeds=16, **settings), tmp_path / "added", task=task,
                       progress=lambda _: None)  # fmt: skip
    once = engine.train(study_of(1, seeds=16, **settings), tmp_path / "once", task=task)
    assert added.members == once.members
    assert added.lead == once.lead
    assert added.facts["added"]["metric"] == "average_precision"
    assert "Seeds were added by test average precision" in " ".join(added.summary["notes"])
    np.testing.assert_array_equal(added.test_targets, once.test_targets)
    np.testing.assert_allclose(added.outputs, once.outputs, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(added.derived["test_roc_auc"], once.derived["test_roc_auc"], atol=5e-3)


def test_a_damaged_segment_is_refused():
    segment = Segment("test", "segments/test-000004.safetensors", 4, 4, "", (0, 1))
    members = [Member(i, "relu", 0.1, i) for i in range(2)]
    facts = {"samples": {"test": 13}, "classes": ["a", "b", "c"], "objective": "classes"}
    whole = {
        "right": np.zeros((1, 2, 2), np.uint8),
        "outputs": np.zeros((1, 2, 13, 3), np.float32),
        "targets": np.full((1, 1, 13), 2, np.int32),
    }
    checks.check_arrays(segment, whole, members, facts)
    for name in ("right", "outputs", "targets"):
        damaged = (
            {key: array for key, array in whole.items() if key != name},
            whole | {name: whole[name][..., :-1]},
            whole | {name: whole[name].astype(np.float64)},
        )
        for arrays in damaged:
            with pytest.raises(ValueError, match="outputs and targets"):
                checks.check_arrays(segment, arrays, members, facts)
    with pytest.raises(ValueError, match="its targets are not indices of its 3 classes"):
        checks.check_arrays(segment, whole | {"targets": whole["targets"] + 1}, members, facts)
    numbers = {"outputs": np.zeros((1, 2, 13, 1), np.float32), "targets": np.zeros((1, 1, 13, 1), np.float32)}
    checks.check_arrays(segment, numbers, members, facts | {"targets": ["price"], "classes": []})
    with pytest.raises(ValueError, match=r"outputs \(1, 2, 13, 1\)"):
        checks.check_arrays(segment, whole, members, facts | {"targets": ["price"], "classes": []})
