"""A study from end to end: the same bytes twice, and nothing lost by a full disk, Ctrl-C or a kill."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
from tests.synthetic_recording import record

import actlab
from actlab.errors import ActlabError, InvalidData, InvalidRecording, InvalidStudy, RecordingFailed
from actlab.laboratory import write_results
from actlab.recipes import recipe
from actlab.recording import reader
from actlab.recording import writer as writer_module
from actlab.study import Study, from_toml
from actlab.tasks import load as load_task
from actlab.tasks.task import build
from actlab.views.figures import recording as drawing
from actlab.views.tensorboard import RECORDED, epoch_times

SMALL = recipe("parabolas").study.model_copy(update={"seeds": (0, 1), "epochs": 20, "milestones": ()})


def files(directory):
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    seen = []
    recording = actlab.run(SMALL, tmp_path_factory.mktemp("runs") / "run", progress=seen.append)
    return recording, seen


def test_a_run_leaves_what_is_promised(finished):
    recording, _ = finished
    assert (recording.epochs, recording.complete, len(recording.members)) == (20, True, 6)
    names = {path.name for path in recording.directory.iterdir()}
    assert names == {"study.toml", "study.db", "segments", "summary.json", "report.html"}
    assert not [name for name in files(recording.directory) if name.endswith((".tmp", "-journal"))]
    assert recording.study.digest == load_task("parabolas").digest
    summary = json.loads((recording.directory / "summary.json").read_text(encoding="utf-8"))
    assert summary == json.loads(json.dumps(actlab.summarise(recording)))
    assert write_results(recording) == actlab.summarise(recording)


def test_a_run_opens_summarises_and_reads_its_recording_once(tmp_path, monkeypatch):
    calls = Counter()

    def counted(owner, function):
        real = getattr(owner, function)
        monkeypatch.setattr(
            owner, function, lambda what, *more: (calls.update([(function, what)]), real(what, *more))[1]
        )

    counted(drawing, "summarise")
    counted(reader, "whole_file")
    recording = actlab.run(SMALL, tmp_path / "run", progress=lambda _: None)
    recording._repr_html_()
    recording.feature_space()
    segments = [("whole_file", path) for path in (tmp_path / "run" / "segments").iterdir()]
    assert calls == dict.fromkeys([("summarise", recording), *segments], 1)
    # A recording that lies there is handed back as it was opened.
    again = actlab.run(SMALL, tmp_path / "run", progress=lambda _: None)
    assert (again.directory, again.summary) == (recording.directory, recording.summary)
    assert type(again) is type(recording) is type(actlab.load(tmp_path / "run"))


def test_progress_goes_from_compiling_to_the_last_epoch(finished):
    _, seen = finished
    assert (seen[0].epoch, seen[0].samples, seen[0].seconds) == (0, 0, 0.0)
    assert (seen[-1].epoch, seen[-1].epochs, seen[-1].members) == (20, 20, 6)
    assert seen[-1].samples == 20 * 2000 * 6
    epochs = [progress.epoch for progress in seen[1:]]
    assert epochs == sorted(set(epochs))


def test_every_epoch_knows_when_it_was_recorded(finished):
    recording, _ = finished
    seconds, source = epoch_times(recording)
    assert source == RECORDED
    assert len(seconds) == 21
    assert np.all(np.diff(seconds) > 0)
    # The clock of the files may be a little coarser.
    written = (recording.directory / recording.segments[-1].file).stat().st_mtime
    assert recording.facts["started"] < seconds[0]
    assert recording.facts["started"] < written < seconds[-1] + 0.1
    assert seconds[-1] < time.time()


def test_the_same_study_gives_the_same_bytes_also_in_the_place_of_itself(finished, tmp_path):
    recording, _ = finished
    other = actlab.run(recording.study, tmp_path / "run", progress=lambda _: None)
    actlab.run(SMALL, tmp_path / "run", restart=True, progress=lambda _: None)
    for name in recording.metrics:
        np.testing.assert_array_equal(other.metrics[name], recording.metrics[name])
    ours = files(recording.directory)
    theirs = {name.replace("-2.safetensors", ".safetensors"): data for name, data in files(tmp_path / "run").items()}
    assert len(theirs) == len(files(tmp_path / "run"))
    assert set(ours) == set(theirs)
    for name in ours:
        if name.startswith("segments/") or name == "study.toml":
            assert ours[name] == theirs[name]


def test_trainable_parameters_are_among_the_weights_of_every_epoch(tmp_path):
    study = SMALL.model_copy(update={"activations": ("relu", "prelu", "maxout"), "epochs": 3, "seeds": (3, 8)})
    recording = actlab.run(study, tmp_path / "run", progress=lambda _: None)
    task = load_task("parabolas")
    assert recording.weight_epochs == (0, 1, 2, 3)
    for member in recording.members:
        network = recording.network(member.activation)
        first, last = (recording.weights(member, epoch) for epoch in (0, 3))
        for params in (first, last):
            shapes = {(layer, name): a.shape for layer, arrays in params.items() for name, a in arrays.items()}
            assert shapes == {(s.name, name): size for s in network.layers for name, size in s.parameter_shapes.items()}
        if member.activation == "prelu":
            np.testing.assert_array_equal(first["act1"]["negative_slope"], np.float32([0.25, 0.25]))
            assert np.all(last["act1"]["negative_slope"] != 0.25)
        # The network in NumPy, from the weights alone, classifies as was recorded.
        for epoch, params in ((0, first), (3, last)):
            right = (np.asarray(network.apply(params, task.x_test))[:, 0] > 0) == (task.y_test == 1)
            assert right.mean() == pytest.approx(recording.metrics["test_accuracy"][epoch, member.id], abs=2e-3)


def test_data_at_hand_are_taken(tmp_path):
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=(n, 4)).astype(np.float32), np.arange(n) % 3) for n in (60, 30, 30)]
    task = build("mine", *pairs, provenance="a random number generator")
    study = Study(name="mine", task="mine.npz", activations="relu", seeds=1, epochs=1)
    recording = actlab.run(study, tmp_path / "run", task=task, progress=lambda _: None)
    assert (recording.study.digest, recording.study.provenance) == (task.digest, "a random number generator")
    with pytest.raises(InvalidData, match=r"mine\.npz is no file"):
        actlab.run(study, tmp_path / "other", progress=lambda _: None)
    assert not (tmp_path / "other").exists()


def test_another_study_is_refused(finished):
    recording, _ = finished
    before = files(recording.directory)
    with pytest.raises(InvalidRecording, match="holds another study"):
        actlab.run(SMALL.model_copy(update={"epochs": 21}), recording.directory, progress=lambda _: None)
    assert files(recording.directory) == before


# What was recorded before


@pytest.fixture
def untrained(monkeypatch):
    monkeypatch.setattr("actlab.engine.engines.build_within", lambda *_: pytest.fail("it is trained"))


def test_what_was_recorded_is_not_trained_again(finished, untrained):
    recording, _ = finished
    before = files(recording.directory)
    again = actlab.run(SMALL, recording.directory, progress=lambda _: pytest.fail("it is trained"))
    np.testing.assert_array_equal(again.metrics["test_loss"], recording.metrics["test_loss"])
    assert again.complete
    assert again.feature_space("act1").epochs == recording.feature_space("act1").epochs
    assert files(recording.directory) == before


@pytest.mark.parametrize("left", [None, b""], ids=["missing", "emptied when the power went"])
@pytest.mark.parametrize("name", ["summary.json", "report.html"])
def test_summary_and_report_are_made_again(finished, untrained, name, left):
    path = finished[0].directory / name
    whole = path.read_bytes()
    path.unlink() if left is None else path.write_bytes(left)
    actlab.run(SMALL, finished[0].directory)
    assert path.read_bytes() == whole


def test_an_interrupt_of_a_new_training_leaves_the_earlier_one(finished, tmp_path):
    directory = tmp_path / "run"
    shutil.copytree(finished[0].directory, directory)
    before = files(directory)

    def interrupt(progress):
        if progress.epoch > 5:
            assert set(files(directory)) > set(before), "the new one lies beside"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        actlab.run(SMALL, directory, restart=True, progress=interrupt)
    assert files(directory) == before


# Full disks


def test_a_disk_full_at_the_third_segment_keeps_the_others(tmp_path, monkeypatch, finished):
    write, written = writer_module.write_synced, []

    def filling(path, data):
        if path.suffix == ".safetensors" and path.name.startswith("epochs"):
            written.append(path.name)
            if len(written) > 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, data)

    monkeypatch.setattr(writer_module, "write_synced", filling)
    with pytest.raises(RecordingFailed, match="No space left on device"):
        actlab.run(SMALL, tmp_path / "run", progress=lambda _: None)
    monkeypatch.undo()
    assert len(written) == 3, "nothing is written after the failure"
    whole, _ = finished
    kept = actlab.load(tmp_path / "run")
    assert kept.epochs >= 1
    assert not kept.complete
    for name, values in kept.metrics.items():
        np.testing.assert_array_equal(values, whole.metrics[name][: kept.epochs + 1])
    for name, array in kept.probes.items():
        np.testing.assert_array_equal(array, whole.probes[name][: kept.epochs + 1])
    assert actlab.report(kept, tmp_path / "report.html").stat().st_size > 100_000
    before = files(tmp_path / "run")
    with pytest.raises(InvalidRecording, match=rf"holds {kept.epochs} of 20 epochs of this study: --restart"):
        actlab.run(SMALL, tmp_path / "run", progress=lambda _: None)
    assert files(tmp_path / "run") == before
    assert actlab.run(SMALL, tmp_path / "run", restart=True, progress=lambda _: None).complete


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_summary_that_cannot_be_written_leaves_no_half_of_one(finished, monkeypatch, call):
    recording, _ = finished
    before = files(recording.directory)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(RecordingFailed, match=r"summary\.json: .*No space left .*the recording is complete"):
        write_results(recording)
    monkeypatch.undo()
    assert files(recording.directory) == before


@pytest.mark.parametrize("complete", [True, False])
def test_a_report_that_does_not_fit_is_no_loss_of_the_recording(tmp_path, monkeypatch, complete):
    recording, real = record(tmp_path / "run", complete=complete), os.replace

    def full(source, target):
        if str(target).endswith("report.html"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ActlabError) as caught:
        write_results(recording)
    kept = "is complete" if complete else "holds what it held"
    assert str(caught.value) == (
        f"{tmp_path / 'run' / 'report.html'}: the report cannot be written (No space left on device); the recording "
        f"in {tmp_path / 'run'} {kept} and loads."
    )
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"study.toml", "study.db", "segments", "summary.json"}


# Ctrl-C and kills


def test_an_interrupt_keeps_what_was_computed_before(tmp_path, finished):
    whole, _ = finished
    calls = []

    def interrupt(progress):
        calls.append(progress.epoch)
        if len(calls) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        actlab.run(SMALL, tmp_path / "run", progress=interrupt)
    kept = actlab.load(tmp_path / "run")
    assert not kept.complete
    assert calls[-2] <= kept.epochs <= 20
    for name, values in kept.metrics.items():
        np.testing.assert_array_equal(values, whole.metrics[name][: kept.epochs + 1])


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_a_signal_in_the_middle_of_a_run(tmp_path, kind):
    command = [sys.executable, "-m", "actlab", "compare", "parabolas", "--seeds", "4", "--epochs", "1000000"]
    # A shell starts its background jobs with Ctrl-C ignored, and all that they start inherits that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    child = subprocess.Popen(
        [*command, "--out", "run"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    signal.signal(signal.SIGINT, before)
    try:
        patience = time.monotonic() + 120
        while len(list(tmp_path.glob("run/segments/epochs-*.safetensors"))) < 2:
            assert child.poll() is None, child.communicate()
            assert time.monotonic() < patience, "no segment came"
            time.sleep(0.02)
        child.send_signal(kind)
        out, err = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
    kept = actlab.load(tmp_path / "run")
    assert kept.epochs > 0
    assert not kept.complete
    assert all(np.isfinite(values).all() for values in kept.metrics.values())
    assert len(kept.probes["flat_share"]) == kept.epochs + 1
    assert out == ""
    if kind == signal.SIGKILL:
        assert child.returncode == -signal.SIGKILL
        return
    assert child.returncode == 130
    assert err == f"actlab: stopped; everything up to epoch {kept.epochs} is kept: actlab report run shows it.\n"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A run with functions of one's own that are registered no more: a cubic, and a logarithm, for NaN."""
    folder = tmp_path_factory.mktemp("own")
    actlab.register("own_cubic", lambda x, xp: x + 0.1 * x**3, derivative=lambda x, xp: 1 + 0.3 * x**2, source="me")
    with pytest.warns(UserWarning, match="'own_log' is registered, but is not a number at x = -1"):
        actlab.register("own_log", lambda x, xp: xp.log(x), derivative=lambda x, xp: 1 / x)
    try:
        study = SMALL.model_copy(update={"activations": ("tanh", "own_cubic", "own_log"), "epochs": 2})
        return actlab.run(study, folder / "run", progress=lambda _: None)
    finally:
        actlab.unregister("own_cubic")
        actlab.unregister("own_log")


def test_a_function_that_gives_no_numbers_ends_in_a_sentence(own):
    assert {member.activation for member in own.members if member.diverged_epoch == 0} == {"own_log"}
    assert "own_log (diverged with" in actlab.summarise(own)["headline"]


def test_a_study_file_says_why_it_cannot_run_a_function_of_ones_own(own, tmp_path):
    path = own.directory / "study.toml"
    assert path.read_text(encoding="utf-8").startswith(
        "# Registered in Python, whose code is not in this file: 'own_cubic', 'own_log'\n"
    )
    assert from_toml(path, recorded=True).identity == own.study.identity
    out = tmp_path / "out"
    command = [sys.executable, "-m", "actlab", "compare", str(path), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    words = r"'own_cubic' is a function of a user's own, .* register it first \(actlab\.register\), .*: (from .*)\.\n"
    said = re.search(words, done.stderr)
    assert said is not None, done.stderr
    assert not out.exists()
    # The way on is the one that it names.
    script = (
        "import actlab\nactlab.register('own_cubic', lambda x, xp: x + 0.1 * x**3)\n"
        "actlab.register('own_log', lambda x, xp: xp.log(abs(x) + 1))\n"
        "actlab.run = lambda study, out: print(study.identity)\n"
    )
    done = subprocess.run([sys.executable, "-c", script + said[1]], capture_output=True, text=True)
    assert done.stdout.strip() == own.study.identity, done.stderr


def test_fixed_functions_of_ones_own_are_told_in_the_file_too():
    actlab.register("own_half", lambda x, xp: x / 2)
    try:
        act = {"layer": "act", "function": "own_half"}
        layers = [{"layer": "residual", "layers": [act]}, {"layer": "dense", "units": 3, "activation": "own_half"}]
        study = actlab.Study(network=layers, activations=["relu"])
        assert study.own_functions == ("own_half",)
        assert study.to_toml().startswith("# Registered in Python, whose code is not in this file: 'own_half'\n")
    finally:
        actlab.unregister("own_half")
    assert not actlab.Study(activations=["relu"]).to_toml().startswith("#")


def test_figures_of_a_function_that_is_not_known_here_say_why(own, tmp_path):
    command = [sys.executable, "-m", "actlab", "figure", str(own.directory), "losses", "--out", str(tmp_path / "a.png")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    words = "does not hold the code of 'own_cubic', a function of a user's own: register it first and draw from Python"
    assert words in done.stderr
    done = subprocess.run([*command, "--activations", "tanh"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    actlab.register("own_cubic", lambda x, xp: x + 0.1 * x**3)
    try:
        actlab.load(own.directory).loss_histogram(epoch=2, activations=["own_cubic"]).savefig(tmp_path / "b.png")
    finally:
        actlab.unregister("own_cubic")
    assert (tmp_path / "b.png").stat().st_size > 1000


def test_a_function_of_ones_own_is_compared_and_reported_where_nobody_knows_it(own, tmp_path):
    cubic = [member.id for member in own.members if member.activation == "own_cubic"]
    assert np.isfinite(own.metrics["train_loss"][:, cubic]).all()
    assert own.functions["own_cubic"]["source"] == "me"
    script = f"import actlab; actlab.report(actlab.load({str(own.directory)!r}), {str(tmp_path / 'again.html')!r})"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "again.html").read_text(encoding="utf-8")
    assert "own_cubic and own_log were registered in Python: what the commands change, change in Python." in page
    assert "own_cubic and own_log were registered in Python: the study runs from there, as its first lines say." in page


def test_results_on_the_disk_are_those_that_are_shown(tmp_path):
    """A recording typed again with another baseline, or without it, or after an earlier version wrote its results."""
    study = Study(task="parabolas", activations=["relu", "tanh"], seeds=2, epochs=1)
    summary, report = tmp_path / "run" / "summary.json", tmp_path / "run" / "report.html"
    for baseline in ("relu", None, "tanh"):
        recording = actlab.run(study, tmp_path / "run", baseline=baseline, progress=lambda _: None)
        told = json.loads(summary.read_text(encoding="utf-8"))
        assert told == recording.summary
        assert (told["baseline"] and told["baseline"]["name"]) == baseline
    written = report.stat().st_mtime_ns
    actlab.run(study, tmp_path / "run", baseline="tanh", progress=lambda _: None)
    assert report.stat().st_mtime_ns == written
    summary.write_text(json.dumps(told | {"schema": 0}), encoding="utf-8")
    actlab.run(study, tmp_path / "run", baseline="tanh", progress=lambda _: None)
    assert json.loads(summary.read_text(encoding="utf-8")) == told
    with pytest.raises(InvalidStudy, match="baseline 'gelu': one of the study's activations is expected: relu, tanh"):
        actlab.run(study, tmp_path / "other", baseline="gelu")
    assert not (tmp_path / "other").exists()
