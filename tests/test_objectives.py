"""What outputs mean: losses, decisions and probabilities beside scikit-learn's and SciPy's, in NumPy and in JAX."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, log_loss

from actlab.errors import InvalidStudy
from actlab.objectives import BINARY, CLASSES, Metric, objective_for, outputs_for

LIBRARIES = pytest.mark.parametrize("xp", [np, jnp], ids=["numpy", "jax"])


def outputs_of(classes, samples=200):
    rng = np.random.default_rng(classes)
    return rng.normal(scale=4, size=(samples, classes)), rng.integers(max(classes, 2), size=samples)


@LIBRARIES
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_of_several_outputs(xp, classes):
    outputs, y = outputs_of(classes)
    rtol = 1e-12 if xp is np else 2e-5
    own = xp.asarray(outputs)
    loss = np.asarray(CLASSES.loss(own, xp.asarray(y), xp, 1))
    np.testing.assert_allclose(loss, -log_softmax(outputs, axis=1)[np.arange(len(y)), y], rtol=rtol, atol=rtol)
    np.testing.assert_allclose(CLASSES.probability(own, xp, 1), softmax(outputs, axis=1), rtol=rtol, atol=1e-7)
    assert loss.mean() == pytest.approx(log_loss(y, softmax(outputs, axis=1), labels=range(classes)), rel=rtol)
    decided = np.asarray(CLASSES.decision(own, xp, 1))
    assert np.asarray(CLASSES.decided(own, xp.asarray(y), xp, 1)).mean() == accuracy_score(y, decided)
    np.testing.assert_array_equal(decided, outputs.argmax(axis=1))


@LIBRARIES
def test_of_one_output(xp):
    outputs, y = outputs_of(1)
    rtol = 1e-12 if xp is np else 2e-5
    own = xp.asarray(outputs)
    loss = np.asarray(BINARY.loss(own, xp.asarray(y), xp, 1))
    assert loss.mean() == pytest.approx(log_loss(y, expit(outputs[:, 0])), rel=rtol)
    np.testing.assert_allclose(
        np.asarray(BINARY.probability(own, xp, 1))[:, 0], expit(outputs[:, 0]), rtol=1e-5, atol=2e-7
    )
    right = np.asarray(BINARY.decided(own, xp.asarray(y), xp, 1)).mean()
    assert right == accuracy_score(y, np.asarray(BINARY.decision(own, xp, 1)))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_the_outputs_may_lie_on_any_axis(axis):
    outputs = np.random.default_rng(1).normal(size=(4, 5, 3))
    y = np.random.default_rng(2).integers(3, size=(4, 5))
    moved = np.moveaxis(outputs, -1, axis)
    where = axis % 3
    np.testing.assert_array_equal(CLASSES.loss(moved, y, np, where), CLASSES.loss(outputs, y, np, 2))
    np.testing.assert_array_equal(CLASSES.decision(moved, np, where), CLASSES.decision(outputs, np, 2))
    single = np.moveaxis(outputs[..., :1], -1, axis)
    np.testing.assert_array_equal(BINARY.loss(single, y % 2, np, where), BINARY.loss(outputs[..., :1], y % 2, np, 2))


def test_a_sample_without_numbers_is_in_no_class():
    outputs = np.array([[np.nan, 0.0], [0.0, np.nan], [np.nan, np.nan], [1.0, 0.0]])
    assert CLASSES.decided(outputs, np.zeros(4, int), np, 1).tolist() == [False, False, False, True]
    assert not BINARY.decided(outputs[:3, :1] * np.nan, np.array([0, 1, 0]), np, 1).any()


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.9, 0.1], [0.2, 0.3, 0.5], [1.0, 0.0]])
def test_the_baseline_is_that_of_the_most_likely_constant_answer(shares):
    y = np.repeat(np.arange(len(shares)), (100 * np.array(shares)).round().astype(int))
    constant = DummyClassifier(strategy="prior").fit(np.zeros((len(y), 1)), y).predict_proba(np.zeros((len(y), 1)))
    expected = log_loss(y, constant) if len(set(y)) > 1 else 0.0
    assert CLASSES.baseline(np.array(shares)) == pytest.approx(expected, rel=1e-12)


def test_columns_and_outputs():
    metrics = ("loss", "accuracy", "balanced_accuracy", "brier")
    assert (
        BINARY.columns
        == CLASSES.columns
        == tuple(f"{part}_{name}" for part in ("train", "validation", "test") for name in metrics)
    )
    assert [objective_for(outputs).name for outputs in (1, 2, 10)] == ["binary", "classes", "classes"]
    assert outputs_for(2)[0] == 1


@pytest.mark.parametrize(
    "wrong",
    [{"name": name} for name in ("Brier", "brier score", "2nd", "", "é", "a-b", "a;drop")]
    + [{"better": "smaller"}, {"scale": np.inf}, {"scale": 0.0}, {"title": None}],
    ids=str,
)
def test_a_metric_that_no_recording_could_hold_is_refused_where_it_is_declared(wrong):
    fitting = {"name": "brier", "title": "Brier score", "score": BINARY.loss, "better": "lower", "unit": ""}
    assert Metric(**fitting).to_dict()["scale"] == 1.0
    with pytest.raises(InvalidStudy, match="a name of small letters"):
        Metric(**fitting | wrong)
