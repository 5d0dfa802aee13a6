"""Event files: TensorBoard itself reads them, and finds what the recording holds."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from tests.synthetic_recording import record, record_contests
from tests.views_recording import record_all

from actlab.cli import main
from actlab.errors import ActlabError
from actlab.views.tensorboard import export, run_name


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    recording = record_all(folder / "run", seeds=2, diverged={("tanh", 0.05, 1): (5, "infinite")})
    return recording, export(recording, folder / "events")


def events_of(directory):
    # TensorBoard's own modules warn of what NumPy has renamed.
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(directory), size_guidance={"scalars": 0, "histograms": 0})
        events.Reload()
    return events


def test_every_member_is_a_run(exported):
    recording, directory = exported
    runs = sorted(path.parent.relative_to(directory).as_posix() for path in directory.rglob("*tfevents*"))
    assert runs == sorted(run_name(recording, member) for member in recording.members)
    assert "sigmoid/seed-0" in runs


def test_scalars_are_the_recorded_ones(exported):
    recording, directory = exported
    member = next(m for m in recording.members if (m.activation, m.seed) == ("tanh", 0))
    events = events_of(directory / "tanh" / "seed-0")
    for tag, values in {
        "loss/train": recording.metrics["train_loss"][:, member.id],
        "accuracy/validation": recording.metrics["validation_accuracy"][:, member.id],
        "weight_gradient_norm/dense1": recording.probes["weight_gradient_norm"][:, member.id, 0],
        "flat_share/act1": recording.probes["flat_share"][:, member.id, 0],
    }.items():
        found = events.Scalars(tag)
        assert [event.step for event in found] == list(range(9))
        np.testing.assert_allclose([event.value for event in found], values, rtol=1e-6)


def test_a_diverged_member_ends_where_it_diverged(exported):
    _, directory = exported
    assert [event.step for event in events_of(directory / "tanh" / "seed-1").Scalars("loss/train")] == [0, 1, 2, 3, 4]


def test_histograms_hold_every_value(exported):
    recording, directory = exported
    member = next(m for m in recording.members if (m.activation, m.seed) == ("relu", 1))
    events = events_of(directory / "relu" / "seed-1")
    edges = np.array(recording.facts["histogram_edges"])
    counts = recording.probes["activation_histogram"][:, member.id, 0]
    found = events.Histograms("activation/act1")
    assert len(found) == 9
    for event, expected in zip(found, counts, strict=True):
        value = event.histogram_value
        assert value.num == expected.sum()
        used = np.flatnonzero(expected)
        assert (value.min, value.max) == pytest.approx((edges[used[0]], edges[used[-1] + 1]))
        by_limit = dict(zip(value.bucket_limit, value.bucket, strict=True))
        for i in used:
            assert next(c for limit, c in by_limit.items() if limit == pytest.approx(edges[i + 1])) == expected[i]


def test_members_of_several_contests_have_names_of_their_own(tmp_path):
    recording = record_contests(tmp_path / "run")
    names = [run_name(recording, member) for member in recording.members]
    assert len(set(names)) == len(names)
    assert "sigmoid-rate-0.2-gain/seed-0" in names


def test_nothing_is_written_over(exported, tmp_path):
    recording, _ = exported
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "notes.txt").write_text("mine")
    with pytest.raises(ActlabError, match="is not empty: name a new directory"):
        export(recording, tmp_path / "events")
    assert (tmp_path / "events" / "notes.txt").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert list(export(recording, tmp_path / "empty").rglob("*tfevents*"))


def test_a_place_that_cannot_be_written(exported, tmp_path):
    recording, _ = exported
    (tmp_path / "file").write_text("")
    with pytest.raises(ActlabError, match="cannot be written"):
        export(recording, tmp_path / "file" / "events")


def test_the_command(exported, tmp_path, capsys, monkeypatch):
    recording, _ = exported
    monkeypatch.setattr(
        sys, "argv", ["actlab", "export", str(recording.directory), "--tensorboard", str(tmp_path / "e")]
    )
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert f"tensorboard --logdir {tmp_path / 'e'}" in capsys.readouterr().out


def test_without_tensorboardx_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ActlabError, match=r"pip install 'actlab\[tensorboard\]'"):
        export(record(tmp_path / "run"), tmp_path / "events")
