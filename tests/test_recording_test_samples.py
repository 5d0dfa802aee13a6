"""Which test samples are right, one by one: recorded at the last epoch, as a network computed anew says."""

from __future__ import annotations

import numpy as np
import pytest
from tests.test_recording_migrations import FOLDER, RECORDINGS

import actlab
from actlab import Act, Dense
from actlab.recording import checks
from actlab.replay.forward import hidden
from actlab.study import load_task


def recorded(directory, **settings):
    network = [Dense(4), Act(), Dense(1)]
    study = actlab.Study(**{"task": "parabolas", "network": network, "epochs": 12, "seeds": 3} | settings)
    return actlab.run(study, directory, restart=True, progress=lambda _: None)


@pytest.mark.parametrize("activations", [["relu", "tanh"], ["prelu", "maxout", "gelu"]], ids=["one", "two populations"])
def test_they_are_those_of_networks_computed_anew_in_numpy(tmp_path, activations):
    recording = recorded(tmp_path / "run", activations=activations)
    task = load_task(recording.study)
    for member, right in zip(recording.members, recording.right, strict=True):
        network = recording.network(member.activation)
        _, outputs = hidden(network, recording.weights(member, 12), task.x_test)
        sure = np.abs(outputs[:, 0]) > 1e-4
        np.testing.assert_array_equal(right[sure], ((outputs[:, 0] > 0) == task.y_test)[sure])
    np.testing.assert_allclose(recording.right.mean(axis=1), recording.metrics["test_accuracy"][-1], rtol=1e-6)


def test_they_are_the_same_in_slices_of_the_data_and_where_the_test_data_validate(tmp_path, monkeypatch):
    from actlab.plan import evaluation

    settings = {"activations": ["relu"], "validation": "test"}
    whole = recorded(tmp_path / "whole", **settings)
    monkeypatch.setattr(evaluation, "SLICE_NUMBERS", 2_000)
    sliced = recorded(tmp_path / "sliced", **settings)
    assert whole.right.shape == (3, whole.facts["samples"]["test"])
    np.testing.assert_array_equal(whole.right, sliced.right)
    np.testing.assert_allclose(whole.right.mean(axis=1), whole.metrics["test_accuracy"][-1], rtol=1e-6)


def test_a_run_that_was_stopped_and_an_earlier_recording_have_none(tmp_path):
    class Stop(Exception):
        pass

    def stop(progress):
        if progress.epoch >= 1:
            raise Stop

    study = actlab.Study(task="parabolas", activations=["relu"], epochs=4000, seeds=2)
    with pytest.raises(Stop):
        actlab.run(study, tmp_path / "run", progress=stop)
    assert actlab.load(tmp_path / "run").right is None
    assert actlab.load(FOLDER / RECORDINGS[0]).right is None


@pytest.mark.parametrize(
    "arrays",
    [
        {"right": np.zeros((1, 2, 3), np.uint8)},
        {"right": np.zeros((1, 2, 2), np.int32)},
        {"right": np.zeros((1, 2, 2), np.uint8), "x": np.zeros(1)},
        {},
    ],
    ids=["too long", "no bytes", "something else", "empty"],
)
def test_a_damaged_segment_is_refused(arrays):
    segment = actlab.recording.Segment("test", "segments/test-000004.safetensors", 4, 4, "", (0, 1))
    members = [actlab.recording.Member(i, "relu", 0.1, i) for i in range(2)]
    facts = {"samples": {"train": 9, "validation": 9, "test": 13}}
    checks.check_arrays(segment, {"right": np.zeros((1, 2, 2), np.uint8)}, members, facts)
    with pytest.raises(ValueError, match="one bit for each test sample"):
        checks.check_arrays(segment, arrays, members, facts)
