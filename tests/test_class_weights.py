"""Classes that weigh differently in training, against a loop in PyTorch and scikit-learn's weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from actlab import engine
from actlab.errors import InvalidStudy, UnknownName
from actlab.layers import Act, Dense
from actlab.plan.batches import orders
from actlab.statistics import summarise
from actlab.study import Study, complete, from_toml, weights_of
from actlab.tasks.task import build, build_numbers


def made_up(classes=3, seed=0):
    """Classes of very different numbers of samples."""
    rng = np.random.default_rng(seed)
    parts = []
    for count in (120, 40, 40):
        y = np.minimum(rng.geometric(0.6, count) - 1, classes - 1)
        y[:classes] = np.arange(classes)
        parts.append((rng.normal(size=(count, 2)) + y[:, None], y))
    return build("skewed", *parts, provenance="made up", classes=["a", "b", "c"][:classes])


def study_of(outputs=3, **changes):
    settings = {"network": [Dense(5), Act(), Dense(outputs)], "activations": ["tanh"], "seeds": 1, "epochs": 3,
                "batch": 32, "learning_rates": [0.05], "optimiser": "sgd", "probe_samples": 20}  # fmt: skip
    return Study(**(settings | changes))


def test_balanced_weights_are_those_of_scikit_learn():
    task = made_up()
    weights = weights_of(study_of(class_weights="balanced"), task)
    wanted = compute_class_weight("balanced", classes=np.arange(3), y=task.y_train)
    np.testing.assert_allclose(weights, wanted, rtol=1e-6)
    assert weights[task.y_train].mean() == pytest.approx(1, rel=1e-6)
    stated = weights_of(study_of(class_weights={"c": 4.0}), task)
    np.testing.assert_allclose(stated / stated[0], [1, 1, 4], rtol=1e-6)
    assert stated[task.y_train].mean() == pytest.approx(1, rel=1e-6)
    assert weights_of(study_of(), task) is None


@pytest.mark.parametrize(("classes", "outputs"), [(3, 3), (2, 1), (2, 2)])
@pytest.mark.parametrize("weights", ["balanced", {"b": 3.0}])
def test_training_is_that_of_a_loop_in_torch(tmp_path, classes, outputs, weights):
    task = made_up(classes)
    recording = engine.train(study_of(outputs, class_weights=weights), tmp_path / "run", task=task)
    study, (member,) = recording.study, recording.members
    start = recording.weights(member, 0)
    tensors = [torch.tensor(np.asarray(start[name][kind]), dtype=torch.float64, requires_grad=True)
               for name in ("dense1", "dense2") for kind in ("weight", "bias")]  # fmt: skip
    x, y = torch.tensor(task.x_train, dtype=torch.float64), torch.tensor(task.y_train).long()
    own = torch.tensor(weights_of(study, task), dtype=torch.float64)

    def losses(x, y):
        logits = torch.tanh(x @ tensors[0] + tensors[1]) @ tensors[2] + tensors[3]
        if outputs == 1:
            target = y.to(torch.float64)
            return torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], target, reduction="none")
        return torch.nn.functional.cross_entropy(logits, y, reduction="none")

    trainer = torch.optim.SGD(tensors, 0.05)
    for epoch in range(1, study.epochs + 1):
        for order in orders(study, len(x), study.seeds, range(epoch, epoch + 1))[0, :, :, 0]:
            chosen = order[order >= 0]
            trainer.zero_grad()
            (own[y[chosen]] * losses(x[chosen], y[chosen])).mean().backward()
            trainer.step()
        # What is recorded is the loss itself, without weights.
        assert recording.metrics["train_loss"][epoch, 0] == pytest.approx(losses(x, y).mean().item(), rel=1e-5)
    end = recording.weights(member, study.epochs)
    for tensor, ours in zip(
        tensors, (end[n][k] for n in ("dense1", "dense2") for k in ("weight", "bias")), strict=True
    ):
        np.testing.assert_allclose(ours, tensor.detach(), rtol=1e-4, atol=1e-6)


def test_the_gradients_that_are_shown_are_those_of_training(tmp_path):
    task = made_up()
    recording = engine.train(study_of(class_weights="balanced", epochs=1), tmp_path / "run", task=task)
    chosen = np.random.default_rng([0, 1]).permutation(len(task.x_train))[:20]
    start = recording.weights(recording.members[0], 0)
    w = [torch.tensor(np.asarray(start[n][k]), dtype=torch.float64, requires_grad=True)
         for n in ("dense1", "dense2") for k in ("weight", "bias")]  # fmt: skip
    x, y = torch.tensor(task.x_train[chosen], dtype=torch.float64), torch.tensor(task.y_train[chosen]).long()
    own = torch.tensor(weights_of(recording.study, task), dtype=torch.float64)[y]
    logits = torch.tanh(x @ w[0] + w[1]) @ w[2] + w[3]
    (own * torch.nn.functional.cross_entropy(logits, y, reduction="none")).mean().backward()
    wanted = [w[0].grad.norm().item(), w[2].grad.norm().item()]
    np.testing.assert_allclose(recording.probes["weight_gradient_norm"][0, 0], wanted, rtol=1e-5)


def test_balancing_raises_the_rare_classes(tmp_path):
    task = made_up()
    found = {}
    for weights in (None, "balanced"):
        study = study_of(class_weights=weights, epochs=30, seeds=4, optimiser="adam", learning_rates=[0.01])
        recording = engine.train(study, tmp_path / str(weights), task=task)
        found[weights] = recording.metrics["train_balanced_accuracy"][-1].mean()
        said = " ".join(summarise(recording)["notes"])
        assert ("weigh" in said) == (weights is not None)
        codes = {finding["code"] for finding in summarise(recording)["findings"]}
        assert not codes & {"learns_nothing", "only_regulariser", "comes_apart"}
    assert found["balanced"] > found[None] + 0.03


def test_a_study_keeps_its_weights(tmp_path):
    study = study_of(class_weights={"a": 2.0, "b": 0.5})
    (tmp_path / "study.toml").write_text(study.to_toml(), encoding="utf-8")
    assert from_toml(tmp_path / "study.toml").class_weights == {"a": 2.0, "b": 0.5}


@pytest.mark.parametrize("wrong", ["heavy", {}, {"a": 0.0}, {"a": -1.0}, {"a": "much"}, {"a": float("inf")}, 3])
def test_weights_that_are_none(wrong):
    with pytest.raises(InvalidStudy, match="class_weights: 'balanced', or a number above 0 for classes by name"):
        study_of(class_weights=wrong)


def test_weights_that_do_not_fit_the_data():
    with pytest.raises(UnknownName, match="unknown class 'd': known: a, b, c"):
        complete(study_of(class_weights={"d": 2.0}), made_up())
    x = np.arange(12.0)[:, None]
    numbers = build_numbers("numbers", (x, x), (x, x), (x, x), provenance="made up")
    with pytest.raises(
        InvalidStudy, match="class_weights are of classes, and the targets of task 'digits' are no such"
    ):
        complete(study_of(1, class_weights="balanced"), numbers)
