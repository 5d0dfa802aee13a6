"""Functions compared in a Keras model and training of a user's own, on the backend of this process."""

from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from tests import own_loops_keras as own  # noqa: E402

import actlab.keras  # noqa: E402
from actlab.errors import InvalidModel  # noqa: E402
from actlab.views.paper import methods  # noqa: E402


def by_hand(activation, seed, rate):
    keras.utils.set_random_seed(seed)
    model = own.build(lambda name: actlab.keras.Activation(activation, name=name))
    keras.utils.set_random_seed(seed)
    return own.fitted(model, rate).history


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    directory = tmp_path_factory.mktemp("keras") / "run"
    return actlab.keras.compare(own.build, own.train, ["relu", "prelu"], 2, directory, learning_rates=4, processes=1)


def test_numbers_are_those_of_the_training_by_itself_with_the_factor_as_its_rate(compared):
    for member in compared.members:
        history = by_hand(member.activation, member.seed, 0.2)
        for ours, theirs in {"train_loss": "loss", "validation_loss": "val_loss", "train_accuracy": "accuracy"}.items():
            np.testing.assert_allclose(compared.metrics[ours][1:, member.id], history[theirs], rtol=1e-5)
    assert np.isfinite(compared.metrics["test_loss"][-1]).all()
    assert compared.facts["paired"]
    assert compared.facts["parameters"] == {"relu": 32, "prelu": 38}


def test_what_is_said_is_what_is_known(compared):
    assert any(note == "Not recorded: strange, of which nobody has said which values are better."
               for note in compared.summary["notes"])  # fmt: skip
    assert "code of our own in Keras" in methods(compared)
    assert "4 times the loop's own learning rate" in methods(compared)
    assert "actlab.keras.compare" in (compared.directory / "report.html").read_text()


def test_a_history_that_is_returned_tells_of_the_epochs(tmp_path):
    found = actlab.keras.compare(own.build, own.train_with_history, ["relu"], 2, tmp_path / "run", processes=1)
    np.testing.assert_allclose(found.metrics["validation_loss"][1:, 0], by_hand("relu", 0, 0.05)["val_loss"], rtol=1e-5)
    assert found.members[1].diverged_reason == "ValueError: no data"
    assert found.study.validation == "test"


def test_what_cannot_be_compared_is_refused(tmp_path):
    with pytest.raises(InvalidModel, match=r"build\(act\) is expected"):
        actlab.keras.compare(lambda: None, own.train, ["relu"], 1, tmp_path / "run", processes=1)
    with pytest.raises(InvalidModel, match="build returned Dense"):
        actlab.keras.compare(lambda act: keras.layers.Dense(2), own.train, ["relu"], 1, tmp_path / "run", processes=1)
