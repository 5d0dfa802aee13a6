"""Event files: TensorBoard itself reads them, and finds what the recording holds."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from tests.synthetic_recording import record, record_conditions
from tests.views_recording import record_all

from actlab.cli import main
from actlab.engine.measures import gradient_edges
from actlab.errors import ActlabError
from actlab.views.tensorboard import OF_FILES, RECORDED, epoch_times, export, run_name


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


def rebinned(events, tag, bins=30):
    """What is seen of a histogram, (steps, bins): TensorBoard's own buckets, as its server hands them out, spread over
    so many bins of equal width between the ends of all steps, as its page does."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard import data_compat
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.util.tensor_util import make_ndarray

    steps = []
    for event in events.Histograms(tag):
        told = event.histogram_value
        value = Summary.Value(tag=tag)
        value.histo.min, value.histo.max, value.histo.num = told.min, told.max, told.num
        value.histo.bucket_limit.extend(told.bucket_limit)
        value.histo.bucket.extend(told.bucket)
        steps.append(make_ndarray(data_compat.migrate_value(value).tensor).astype(float))
    left, right = min(step[0, 0] for step in steps), max(step[-1, 1] for step in steps)
    edges = np.linspace(left, right, bins + 1)
    found = []
    for step in steps:
        below = np.interp(edges, [step[0, 0], *step[:, 1]], [0, *np.cumsum(step[:, 2])])
        found.append(np.diff(below))
    return np.array(found)


def test_gradients_fill_the_bins_that_tensorboard_shows(tmp_path):
    """Sizes over six decades and some zeros: on their own scale all of them would lie in one bin of thirty."""
    edges = gradient_edges()
    rng = np.random.default_rng(0)
    counts = np.zeros((9, 30, 2, len(edges) - 1), np.int32)
    for epoch in range(9):
        sizes = np.concatenate([rng.lognormal(-7 - 0.3 * epoch, 2.0, 2000), np.zeros(20)])
        counts[epoch] = np.histogram(sizes, edges)[0]
    facts = {"gradient_edges": edges.tolist()}
    made = record(tmp_path / "run", arrays={"weight_gradient_histogram": counts}, facts=facts)
    events = events_of(export(made, tmp_path / "events") / "tanh" / "seed-0")
    tag = "log10 |weight_gradient|/dense1"
    assert not [name for name in events.Tags()["histograms"] if name.startswith("weight_gradient/")]
    seen = rebinned(events, tag)
    np.testing.assert_allclose(seen.sum(axis=1), counts[:, 0, 0].sum(axis=1))
    # As widely spread as the logarithms themselves.
    assert (seen > 5).sum(axis=1).min() >= 10
    assert (seen.max(axis=1) / seen.sum(axis=1)).max() < 0.25
    first = events.Histograms(tag)[0].histogram_value
    values = np.log10(np.maximum(np.random.default_rng(0).lognormal(-7, 2.0, 2000), 1e-13))
    assert first.sum / first.num == pytest.approx(np.append(values, [-12.125] * 20).mean(), abs=0.02)
    assert first.min == -12.25


def test_times_are_those_of_the_recording(tmp_path):
    """Chunks of three, four and two epochs, epoch 0 among them."""
    began = 1_700_000_000.0
    facts = {"started": began, "recorded": [[2, began + 3], [6, began + 11], [8, began + 12]]}
    made = record(tmp_path / "run", facts=facts)
    assert epoch_times(made)[1] == RECORDED
    scalars = events_of(export(made, tmp_path / "events") / "tanh" / "seed-0").Scalars("loss/train")
    assert [event.wall_time - began for event in scalars] == [1, 2, 3, 5, 7, 9, 11, 11.5, 12]


def test_times_of_an_older_recording_are_those_of_its_files(tmp_path):
    made = record(tmp_path / "run")
    os.utime(made.directory / "study.toml", (1000, 1000))
    os.utime(made.directory / made.segments[0].file, (1018, 1018))
    seconds, source = epoch_times(made)
    np.testing.assert_allclose(seconds, 1000 + 2 * np.arange(1, 10))
    assert source == OF_FILES
    # Copied later than the rest, the study says nothing of when the run began.
    os.utime(made.directory / "study.toml", (5000, 5000))
    np.testing.assert_allclose(epoch_times(made)[0], 1018)


def test_times_never_run_backwards(tmp_path):
    made = record(tmp_path / "run", facts={"started": 2000.0, "recorded": [[4, 2010.0], [8, 2005.0]]})
    assert np.all(np.diff(epoch_times(made)[0]) >= 0)


def test_a_run_stopped_before_its_first_epoch_has_no_times(tmp_path):
    assert epoch_times(record(tmp_path / "run", last_epoch=-1, complete=False))[0].shape == (0,)


def test_members_of_several_conditions_have_names_of_their_own(tmp_path):
    recording = record_conditions(tmp_path / "run")
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
    said = capsys.readouterr().out
    assert f"tensorboard --logdir {tmp_path / 'e'}" in said
    assert OF_FILES in said


def test_without_tensorboardx_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ActlabError, match=r"pip install 'actlab\[tensorboard\]'"):
        export(record(tmp_path / "run"), tmp_path / "events")
