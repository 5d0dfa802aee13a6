"""Several labels of a sample, against PyTorch and scikit-learn: loss, training, metrics; and the files they come in."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import accuracy_score, f1_score, hamming_loss, log_loss

from actlab import engine, report, tasks
from actlab.errors import InvalidData, InvalidNetwork, InvalidStudy
from actlab.layers import Act, Dense
from actlab.objectives import PARTS, SEVERAL, usual_lead
from actlab.plan.batches import orders
from actlab.recording import load
from actlab.statistics import summarise
from actlab.study import Milestone, Study, complete
from actlab.tasks import Reading
from actlab.tasks.task import SPLITS, build_labels, validated_on_test

NAMES = ("red", "round", "ripe")


def made_up(counts=(90, 30, 40)):
    x, y = make_multilabel_classification(sum(counts), n_features=5, n_classes=3, random_state=0)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    ends = np.cumsum(counts)[:-1]
    parts = list(zip(np.split(x, ends), np.split(y, ends), strict=True))
    return build_labels("made up", *parts, provenance="made up", names=NAMES)


def study_of(**changes):
    settings = {"network": [Dense(8), Act(), Dense(3)], "activations": ["tanh", "relu"], "seeds": 2, "epochs": 4,
                "batch": 16, "learning_rates": [0.01], "probe_samples": 16}  # fmt: skip
    return Study(**(settings | changes))


def test_the_loss_and_its_slope_are_those_of_torch():
    rng = np.random.default_rng(1)
    outputs, y = rng.normal(scale=4, size=(50, 3)), rng.integers(0, 2, (50, 3)).astype(float)
    outputs[0] = 200, -200, 0
    own = torch.tensor(outputs, requires_grad=True)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    wanted = entropy(own, torch.tensor(y), reduction="none").mean(dim=1)
    wanted.sum().backward()
    np.testing.assert_allclose(SEVERAL.loss(outputs, y, np, 1), wanted.detach(), rtol=1e-12, atol=1e-15)
    import jax
    import jax.numpy as jnp

    with jax.enable_x64(True):
        slope = jax.grad(lambda z: SEVERAL.loss(z, jnp.asarray(y), jnp, 1).sum())(jnp.asarray(outputs))
    np.testing.assert_allclose(slope, own.grad, rtol=1e-10, atol=1e-14)


def independent(outputs, y):
    said = (outputs > 0).astype(int)
    likely = 1 / (1 + np.exp(-outputs.astype(float)))
    return {
        "loss": np.mean([log_loss(y[:, k], likely[:, k], labels=[0, 1]) for k in range(y.shape[1])]),
        "micro_f1": f1_score(y, said, average="micro", zero_division=0),
        "macro_f1": f1_score(y, said, average="macro", zero_division=0),
        "subset_accuracy": accuracy_score(y, said),
        "label_accuracy": 1 - hamming_loss(y, said),
    }


@pytest.mark.parametrize("kind", ["drawn", "all wrong", "nothing said", "one label never there"])
def test_metrics_are_those_of_scikit_learn(kind):
    rng = np.random.default_rng(2)
    outputs, y = rng.normal(size=(60, 4)), rng.integers(0, 2, (60, 4))
    if kind == "all wrong":
        outputs = np.where(y, -1.0, 1.0)
    if kind == "nothing said":
        outputs = -np.abs(outputs)
    if kind == "one label never there":
        y[:, 2], outputs[:, 2] = 0, -1.0
    wanted = independent(outputs, y)
    for metric in SEVERAL.metrics:
        means = metric.score(outputs, y.astype(float), np, 1).mean(axis=0)
        found = metric.finish(means, None, 0) if metric.finish else means
        assert found == pytest.approx(wanted[metric.name], rel=1e-12, abs=1e-12), metric.name


def test_training_is_that_of_a_loop_in_torch(tmp_path):
    task = made_up()
    recording = engine.train(study_of(), tmp_path / "run", task=task)
    study = recording.study
    assert (study.loss, recording.objective.name, recording.facts["targets"]) == ("labels", "labels", list(NAMES))
    for column, member in enumerate(recording.members):
        start = recording.weights(member, 0)
        w = [torch.tensor(np.asarray(start[n][k]), dtype=torch.float64, requires_grad=True)
             for n in ("dense1", "dense2") for k in ("weight", "bias")]  # fmt: skip
        function = {"tanh": torch.tanh, "relu": torch.relu}[member.activation]
        x, y = (torch.tensor(np.asarray(a), dtype=torch.float64) for a in (task.x_train, task.y_train))
        trainer = torch.optim.Adam(w, 0.01, (0.9, 0.999), study.optimiser.epsilon)
        batches = orders(study, len(x), study.seeds, range(1, study.epochs + 1))
        for steps in batches[..., study.seeds.index(member.seed)]:
            for order in steps:
                chosen = order[order >= 0]
                trainer.zero_grad()
                logits = function(x[chosen] @ w[0] + w[1]) @ w[2] + w[3]
                torch.nn.functional.binary_cross_entropy_with_logits(logits, y[chosen]).backward()
                trainer.step()
        for part in PARTS:
            own = torch.tensor(getattr(task, f"x_{part}"), dtype=torch.float64)
            outputs = (function(own @ w[0] + w[1]) @ w[2] + w[3]).detach().numpy()
            labels = getattr(task, f"y_{part}").astype(int)
            for name, value in independent(outputs, labels).items():
                assert recording.metrics[f"{part}_{name}"][-1, column] == pytest.approx(value, rel=1e-5, abs=1e-6)
            if part == "test":
                f1 = f1_score(labels, outputs > 0, average=None, zero_division=0)
                np.testing.assert_allclose(recording.probes["label_f1"][-1, column], f1, rtol=1e-5)


def test_reports_speak_of_labels(tmp_path):
    recording = engine.train(study_of(seeds=8, epochs=30), tmp_path / "run", task=made_up())
    summary = summarise(recording)
    assert summary["lead"]["name"] == "micro_f1"
    assert "test micro F1" in summary["headline"]
    assert summary["constant"]["answer"] == pytest.approx(made_up().y_train.mean(axis=0).tolist())
    report(load(tmp_path / "run"), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "always the most frequent labels" in page
    assert "F1 by label" in page


def test_networks_that_learn_nothing(tmp_path):
    recording = engine.train(study_of(seeds=8, epochs=2, learning_rates=[1e-9]), tmp_path / "run", task=made_up())
    summary = summarise(recording)
    assert {found["code"] for found in summary["findings"]} & {"learns_nothing", "rate_too_low"}
    text = str(summary["findings"])
    assert "frequencies of the labels" in text or "learns_nothing" not in text


def test_what_does_not_fit_labels_is_refused():
    task = made_up()
    with pytest.raises(InvalidNetwork, match=r"3 labels: end it with Dense\(3\)"):
        complete(study_of(network=[Dense(8), Act(), Dense(2)]), task)
    with pytest.raises(
        InvalidStudy, match="loss 'squared' is of numbers as targets, and task 'digits' has several labels"
    ):
        complete(study_of(loss="squared"), task)
    with pytest.raises(InvalidStudy, match="are labels: give it a metric and a value"):
        complete(study_of(milestones=[Milestone(name="all")]), task)
    with pytest.raises(InvalidStudy, match="loss 'labels' is of several labels"):
        complete(Study(task="moons", loss="labels"), tasks.load("moons"))
    joined = validated_on_test(task)
    assert joined.labels == NAMES
    assert len(joined.x_train) == 120


def test_the_usual_lead_is_micro_f1():
    assert usual_lead([metric.to_dict() for metric in SEVERAL.metrics]) == "micro_f1"


# Files.


def loaded(path, target=None, **decided):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        task = tasks.load(str(path), target=target, reading=Reading(objective="labels", **decided))
    return task, " ".join(str(one.message) for one in told)


@pytest.fixture
def table(tmp_path):
    x, y = make_multilabel_classification(120, n_features=3, n_classes=3, random_state=1)
    texts = ["|".join(name for name, has in zip(NAMES, row, strict=True) if has) for row in y]
    columns = {"a": x[:, 0], "b": x[:, 1], **dict(zip(NAMES, y.T, strict=True)), "tags": texts}
    pl.DataFrame(columns).write_csv(tmp_path / "mine.csv")
    return tmp_path / "mine.csv", y


def test_columns_of_zeros_and_ones_are_labels(table):
    path, y = table
    task, told = loaded(path, "red,round,ripe", drop=("tags",))
    assert task.labels == NAMES
    assert sum(getattr(task, f"y_{part}").sum() for part in SPLITS) == y.sum()
    assert "regression" not in told
    assert {column.became for column in task.report.columns if column.role == "target"} == {"a label"}


@pytest.mark.parametrize("separator", ["|", ";", ", "])
def test_texts_with_separators_are_labels(table, separator):
    path, y = table
    path.write_text(path.read_text().replace("|", separator if separator != ", " else "/"), encoding="utf-8")
    if separator == ", ":
        frame = pl.read_csv(path).with_columns(pl.col("tags").str.replace_all("/", ", "))
        frame.write_csv(path)
    task, told = loaded(path, "tags", drop=NAMES)
    assert sorted(task.labels) == sorted(NAMES)
    assert sum(getattr(task, f"y_{part}").sum() for part in SPLITS) == y.sum()
    assert "the values of 'tags' are taken for 3 labels" in told


def test_labels_that_are_taken_for_classes_are_told(table):
    path, _ = table
    path.write_text(path.read_text().replace('""', "plain"), encoding="utf-8")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        task = tasks.load(str(path), target="tags", reading=Reading(drop=NAMES))
    sentences = " ".join(str(one.message) for one in told)
    assert "such as 'red|round' are taken as they stand: --objective labels learns the 4 labels" in sentences
    assert "red|round" in task.classes


def test_arrays_of_zeros_and_ones_are_labels(tmp_path):
    x, y = make_multilabel_classification(80, n_features=3, n_classes=4, random_state=2)
    np.savez(tmp_path / "mine.npz", X=x, y=y)
    task, told = loaded(tmp_path / "mine.npz")
    assert task.labels == ("1", "2", "3", "4")
    assert "each column of its targets is a label that a sample has or has not" in told
    with pytest.raises(InvalidData, match="--objective labels learns several labels of a sample"):
        tasks.load(str(tmp_path / "mine.npz"))


def test_labels_that_are_none_are_refused(table, tmp_path):
    path, y = table
    with pytest.raises(InvalidData, match="hold other numbers than 0 and 1"):
        loaded(path, "a,red", drop=("tags",))
    pl.DataFrame({"a": range(9), "room": ["x"] * 9}).write_csv(tmp_path / "one.csv")
    with pytest.raises(InvalidData, match="column 'room' holds 1 labels"):
        loaded(tmp_path / "one.csv", "room")
    x = np.arange(20.0)[:, None]
    none = np.stack([np.arange(20) % 2, np.zeros(20)], axis=1)
    with pytest.raises(InvalidData, match="no training sample has the label 'round'"):
        build_labels("m", (x, none), (x, none), (x, none), provenance="", names=["red", "round"])
    with pytest.raises(InvalidData, match="holds other numbers than 0 and 1"):
        build_labels("m", (x, x), (x, x), (x, x), provenance="")
    with pytest.raises(InvalidData, match="objective 'labels' learns labels; classes 'texts' makes classes"):
        Reading(objective="labels", classes="texts")
    assert y.shape == (120, 3)
