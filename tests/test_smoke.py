"""Once through every room, in seconds: what `make check` runs beside lint. Each room has tests that say more."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest

import actlab
from actlab import Act, Dense, Study
from actlab.objectives import objective_for
from actlab.replay.forward import hidden


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    study = Study(
        task="parabolas", network=[Dense(2), Act(), Dense(1)], activations="tanh,relu", learning_rates=0.05, epochs=2
    )
    directory = tmp_path_factory.mktemp("smoke") / "run"
    return actlab.run(study.model_copy(update={"seeds": (0, 1)}), directory, progress=lambda _: None)


def test_a_function_is_the_same_in_every_library():
    x = np.linspace(-4, 4, 101).astype(np.float32)
    gelu = actlab.catalogue["gelu"]
    expected = [0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()]
    jnp, torch = pytest.importorskip("jax.numpy"), pytest.importorskip("torch")
    for array in (x, jnp.asarray(x), torch.from_numpy(x)):
        np.testing.assert_allclose(np.asarray(gelu(array)), expected, rtol=2e-6, atol=1e-7)
    assert gelu.facts().monotone is None


def test_an_objective_is_what_scikit_learn_says():
    from sklearn.metrics import log_loss

    logits, y = np.random.default_rng(0).normal(size=(50, 3)), np.arange(50) % 3
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    losses = objective_for(3).loss(logits, y, np, 1)
    assert losses.mean() == pytest.approx(log_loss(y, probability), rel=1e-12)


def test_a_study_is_trained_recorded_and_computed_again(recording):
    assert recording.complete
    assert actlab.load(recording.directory).study.identity == recording.study.identity
    assert recording.metrics["train_loss"][-1].mean() < recording.metrics["train_loss"][0].mean()
    member = recording.members[0]
    _, outputs = hidden(recording.network("tanh"), recording.weights(member, 2), recording.sample["x"])
    right = objective_for(1).decided(outputs, recording.sample["y"], np, 1)
    assert right.mean() == pytest.approx(recording.metrics["train_accuracy"][-1, 0], abs=0.02)


def test_it_is_concluded_and_shown(recording):
    summary = json.loads((recording.directory / "summary.json").read_text(encoding="utf-8"))
    assert summary["headline"] == actlab.summarise(recording)["headline"]
    assert summary["headline"] in (recording.directory / "report.html").read_text(encoding="utf-8")
    assert recording.feature_space("act1").plot().axes


def test_the_command_line_answers(recording):
    command = [sys.executable, "-W", "error", "-m", "actlab", "functions", "gelu"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=recording.directory)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Hendrycks" in done.stdout
