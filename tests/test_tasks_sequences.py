"""Samples of any number of dimensions, and ids of tokens, for networks of a user's own."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from tests.tables import refused, told

import actlab
from actlab import engine
from actlab.errors import InvalidNetwork, InvalidStudy
from actlab.layers import Act, Conv, Dense, Flatten
from actlab.study import Study, complete, load_task
from actlab.tasks import Reading
from actlab.tasks.task import build

RNG = np.random.default_rng(0)
Y = np.arange(90) % 3
# Of 20 tokens, the class says which three are common.
IDS = np.where(RNG.random((90, 12)) < 0.7, 3 * Y[:, None] + RNG.integers(0, 3, (90, 12)), RNG.integers(0, 20, (90, 12)))
# The class is how fast a wave is.
TIMES = np.linspace(0, 6, 15)
WAVES = np.stack([np.sin((1 + Y)[:, None] * TIMES + RNG.uniform(0, 6, (90, 1))), RNG.normal(size=(90, 15))], axis=-1)
TINY = {"activations": ["tanh", "relu"], "seeds": 2, "epochs": 6, "batch": 20, "learning_rates": [0.02]}


class Embedded:
    """The mean of the tokens' vectors, and a hidden layer."""

    @staticmethod
    def init(key):
        first, second, third = jax.random.split(key, 3)
        return {
            "vectors": jax.random.normal(first, (20, 8)),
            "hidden": jax.random.normal(second, (8, 8)) / 8**0.5,
            "last": jax.random.normal(third, (8, 3)) / 8**0.5,
        }

    @staticmethod
    def apply(params, x, act, *, training, key):
        assert jnp.issubdtype(x.dtype, jnp.integer)
        mean = jnp.take(params["vectors"], x, axis=0).mean(axis=1)
        return act(mean @ params["hidden"], name="hidden") @ params["last"]


class Recurrent:
    """A simple recurrent network (Elman 1990) over (time, features)."""

    @staticmethod
    def init(key):
        first, second, third = jax.random.split(key, 3)
        return {
            "inputs": jax.random.normal(first, (2, 10)) / 2**0.5,
            "state": jax.random.normal(second, (10, 10)) / 10**0.5,
            "last": jax.random.normal(third, (10, 3)) / 10**0.5,
        }

    @staticmethod
    def apply(params, x, act, *, training, key):
        _, time, features = x.shape
        assert features == 2
        state = jnp.zeros((len(x), 10), x.dtype)
        for step in range(time - 1):
            state = jnp.tanh(x[:, step] @ params["inputs"] + state @ params["state"])
        return act(x[:, -1] @ params["inputs"] + state @ params["state"], name="state") @ params["last"]


@pytest.fixture
def saved(tmp_path):
    def save(x, name="mine.npz", **more):
        np.savez(tmp_path / name, x=x, y=Y, **more)
        return str(tmp_path / name)

    return save


def test_sequences_keep_their_axes(saved):
    path = saved(WAVES)
    task, sentences = told(path, reading=Reading(layout="sequences"))
    assert task.input_shape == (15, 2)
    assert task.provenance.startswith("mine.npz, sequences; ")
    assert len(sentences) == 1
    assert set(task.x_train[:, 0, 1]) <= set(WAVES[:, 0, 1].astype(np.float32))
    task, sentences = told(path)
    assert task.input_shape == (15, 2, 1)
    assert sentences[1] == (
        "mine.npz: x_train has the shape (90, 15, 2), taken for pictures of 15×2 with one channel; --layout sequences "
        "takes samples of 15×2, for a network of your own."
    )
    assert len(told(path, reading=Reading(layout="channels-last"))[1]) == 1


def test_sequences_are_no_pixels_unless_that_is_said(saved):
    x = RNG.integers(0, 256, (90, 5, 4), dtype=np.uint8)
    kept, _ = told(saved(x), reading=Reading(layout="sequences"))
    assert kept.x_train.max() > 1
    scaled, _ = told(saved(x), reading=Reading(layout="sequences", scale=255.0))
    np.testing.assert_allclose(scaled.x_test, kept.x_test / 255, rtol=1e-6)


@pytest.mark.parametrize("shape", [(4, 3, 2, 2), (2, 2, 2, 2, 2)])
def test_more_axes_than_pictures_have(saved, shape):
    x = RNG.normal(size=(90, *shape))
    assert told(saved(x))[0].input_shape == shape
    films = RNG.integers(0, 256, (90, *shape), dtype=np.uint8)
    task, _ = told(saved(films))
    assert "uint8 pixels divided by 255" in task.provenance
    assert 0.9 < task.x_train.max() <= 1


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float64])
def test_tokens_stay_whole_numbers(saved, kind):
    task, sentences = told(saved(IDS.astype(kind)), reading=Reading(layout="tokens"))
    assert task.x_train.dtype == np.int32
    assert {tuple(row) for row in task.x_test.tolist()} <= {tuple(row) for row in IDS.tolist()}
    assert task.provenance.startswith("mine.npz, ids of tokens; ")
    assert len(sentences) == 1


def test_rows_that_are_numbered_are_tokens_all_the_same(saved):
    ids = np.concatenate([np.arange(90)[:, None], IDS], axis=1)
    assert "counts the rows" in refused(saved(ids))
    assert told(saved(ids), reading=Reading(layout="tokens"))[0].input_shape == (13,)


def test_what_is_no_token(saved):
    reading = Reading(layout="tokens")
    assert "mine.npz: x_train holds " in refused(saved(WAVES), reading=reading)
    assert "which is no id of a token: give whole numbers below 2**31." in refused(saved(IDS + 0.5), reading=reading)
    assert refused(saved(IDS), reading=Reading(layout="tokens", scale=2.0)) == (
        "mine.npz: ids of tokens are not divided: leave --scale out."
    )
    assert "its samples are sequences, which have no columns" in refused(
        saved(IDS), reading=Reading(layout="tokens", drop=("1",))
    )


def test_an_embedding_learns_from_tokens(saved, tmp_path):
    study = Study(task=saved(IDS), layout="tokens", network=Embedded, **TINY)
    with pytest.warns(actlab.errors.ActlabWarning):
        recording = actlab.run(study, tmp_path / "run")
    assert (recording.metrics["train_accuracy"][-1] > 0.9).all()
    assert recording.facts["precision"] == "float32"
    # Nothing is said of the size of what is no quantity.
    assert recording.facts["inputs"] is None
    assert all(finding["code"] != "inputs_off_scale" for finding in recording.summary["findings"])
    assert (tmp_path / "run" / "report.html").is_file()
    again = actlab.load(tmp_path / "run")
    assert again.study.layout == "tokens"
    assert again.sample["x"].dtype == np.int32


def test_an_embedding_computes_what_pytorch_does(saved, tmp_path):
    study = Study(task=saved(IDS), layout="tokens", network=Embedded, **TINY | {"activations": ["tanh"]})
    with pytest.warns(actlab.errors.ActlabWarning):
        task = load_task(study)
    recording = engine.train(study, tmp_path / "run", task=task)
    for member in recording.members:
        weights = {name: torch.tensor(own) for name, own in recording.weights(member, 6)["network"].items()}
        mean = torch.nn.functional.embedding(torch.tensor(task.x_test), weights["vectors"]).mean(dim=1)
        logits = torch.tanh(mean @ weights["hidden"]) @ weights["last"]
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(task.y_test).long())
        found = recording.metrics["test_loss"][6, member.id]
        assert found == pytest.approx(float(loss), rel=1e-4)


def test_a_recurrent_network_learns_from_sequences(saved, tmp_path):
    study = Study(task=saved(WAVES), layout="sequences", network=Recurrent, **TINY | {"epochs": 3})
    with pytest.warns(actlab.errors.ActlabWarning):
        recording = engine.train(study, tmp_path / "run")
    losses = recording.metrics["train_loss"]
    assert (losses[-1] < losses[0]).all()
    assert recording.facts["input_shape"] == [15, 2]


def completed(study):
    with pytest.warns(actlab.errors.ActlabWarning):
        task = load_task(study)
    return complete(study, task)


def test_a_network_that_fails_is_told_of_the_other_way(saved):
    with pytest.raises(InvalidNetwork, match=r"samples of shape \(15, 2, 1\).*; --layout sequences gives"):
        completed(Study(task=saved(WAVES), network=Recurrent, **TINY))
    with pytest.raises(InvalidNetwork, match=r"shape \(12,\) .*; --layout tokens gives samples of whole numbers"):
        completed(Study(task=saved(IDS), network=Embedded, **TINY))


@pytest.mark.parametrize(
    "network", [None, [Flatten(), Dense(4), Act(), Dense(3)], [Conv(2, 3), Act(), Flatten(), Dense(3)]]
)
def test_layers_take_vectors_and_pictures_alone(saved, network):
    with pytest.raises(InvalidNetwork) as caught:
        completed(Study(task=saved(WAVES), layout="sequences", network=network, **TINY))
    assert str(caught.value) == (
        "mine.npz: x_train has the shape (54, 15, 2), and layers take samples of (features,) or (height, width, "
        "channels), not of (15, 2): give a network of your own, as --set network=module:attribute "
        "(docs/own-networks.md), or leave layout out to take them for pictures."
    )
    with pytest.raises(InvalidNetwork, match=r"not of \(2, 2, 2, 2\): give a network of your own"):
        completed(Study(task=saved(RNG.normal(size=(90, 2, 2, 2, 2))), network=network, **TINY))
    with pytest.raises(InvalidNetwork, match="its samples are ids of tokens, which layers take for quantities: give a"):
        completed(Study(task=saved(IDS), layout="tokens", network=network, **TINY))


def test_study_and_data_say_alike_what_samples_are(saved):
    pair = IDS, Y
    tokens = build("made", pair, pair, pair, provenance="made up", tokens=True)
    with pytest.raises(InvalidStudy, match="the samples of task 'made' are ids of tokens: say layout \"tokens\""):
        complete(Study(network=Embedded, **TINY), tokens)
    assert complete(Study(network=Embedded, layout="tokens", **TINY), tokens).digest == tokens.digest
    numbers = build("made", pair, pair, pair, provenance="made up")
    with pytest.raises(InvalidStudy, match="are no ids of tokens: leave layout out"):
        complete(Study(network=Embedded, layout="tokens", **TINY), numbers)
