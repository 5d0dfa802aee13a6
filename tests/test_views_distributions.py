"""Distributions as the page gets them: shares of the recording in bytes, and axes that tell true values."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from tests.views_recording import record_all

from actlab.statistics import reported
from actlab.views.report.distributions import distributions


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return record_all(tmp_path_factory.mktemp("runs") / "run")


def members_of(recording):
    return {entry.activation: list(entry.columns) for entry in reported(recording)}


def shares_of(quantity, name):
    """Decoded shares, (layers, epochs, bins)."""
    octets = np.frombuffer(base64.b64decode(quantity["panels"][name]), np.uint8)
    shaped = octets.reshape(len(quantity["layers"]), len(quantity["epochs"]), -1)
    return (shaped / 255.0) ** 2 * quantity["top"]


def quantity_of(recording, name):
    return next(q for q in distributions(recording, members_of(recording)) if q["name"] == name)


def test_activations_are_shares_of_the_recording(recording):
    quantity = quantity_of(recording, "activations")
    for name, columns in members_of(recording).items():
        counts = recording.probes["activation_histogram"][:, columns, 0].sum(axis=1)
        # Three bins below and four above hold nothing: one of each is left as a margin.
        wanted = (counts / counts.sum(axis=1, keepdims=True))[:, 2:13]
        found = shares_of(quantity, name)[0]
        assert found.shape == wanted.shape
        np.testing.assert_allclose(np.sqrt(found), np.sqrt(wanted), atol=np.sqrt(quantity["top"]) / 255)
        assert np.all((found > 0) == (wanted > 0)), "what is there at all is seen"
    assert len(quantity["words"]) == len(quantity["edges"]) - 1 == 11


def test_sizes_of_gradients_close_up_to_the_zeros(recording):
    """Bins 1 to 3 hold nothing: the axis goes from the zeros on to the smallest gradients there are."""
    quantity = quantity_of(recording, "weight-gradients")
    assert quantity["layers"] == list(recording.weight_layers)
    columns = members_of(recording)["tanh"]
    for layer in range(2):
        counts = recording.probes["weight_gradient_histogram"][:, columns, layer].sum(axis=1)
        wanted = np.delete(counts, (1, 2, 3), axis=1) / counts.sum(axis=1, keepdims=True)
        found = shares_of(quantity, "tanh")[layer]
        np.testing.assert_allclose(np.sqrt(found), np.sqrt(wanted), atol=np.sqrt(quantity["top"]) / 255)
    assert quantity["words"][:2] == ["below 1e−06", "1e−06 to 1e−05"]
    assert quantity["ticks"][0][1] == "0"


@pytest.mark.parametrize("name", ["activations", "weight-gradients"])
def test_ticks_lie_where_their_values_are(recording, name):
    quantity = quantity_of(recording, name)
    edges, bins = np.array(quantity["edges"]), len(quantity["words"])
    values = [float(text.replace("−", "-")) for _, text in quantity["ticks"]]
    places = np.array([place for place, _ in quantity["ticks"]])
    assert 0.0 in values
    assert np.diff(places).min() > 0.05
    for value, place in zip(values, places, strict=True):
        bin_of = np.clip(np.searchsorted(edges, value * (1 + 1e-9), side="right") - 1, 0, bins - 1)
        # Places are written with five digits.
        assert bin_of / bins - 1e-5 <= place <= (bin_of + 1) / bins + 1e-5


def test_only_seeds_that_still_train_are_counted(tmp_path):
    lost = {("tanh", 0.05, seed): (3, "the loss became NaN") for seed in range(9)}
    recording = record_all(tmp_path / "run", diverged=lost)
    quantity = quantity_of(recording, "activations")
    survivor = next(m.id for m in recording.members if (m.activation, m.seed) == ("tanh", 9))
    counts = recording.probes["activation_histogram"][5, survivor, 0][2:13]
    found = shares_of(quantity, "tanh")[0, 5]
    np.testing.assert_allclose(np.sqrt(found), np.sqrt(counts / counts.sum()), atol=np.sqrt(quantity["top"]) / 255)


def test_where_all_diverged_there_is_nothing(tmp_path):
    lost = {("relu", 0.05, seed): (0, "the loss became NaN") for seed in range(10)}
    recording = record_all(tmp_path / "run", diverged=lost)
    assert not shares_of(quantity_of(recording, "activations"), "relu").any()
