"""A training that is watched, recorded: read back as it was seen, and nothing of it touches the training."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.command_line import command_line
from torch import nn

import actlab
from actlab.diagnosis import findings_of
from actlab.diagnosis.recorded import verdict_in
from actlab.errors import ActlabError, ActlabWarning, InvalidRecording
from actlab.recording import load, writer
from actlab.study import Observed
from actlab.watching import recorder
from actlab.watching.looks import Constant, Look
from actlab.watching.recorded import looks_of

LOUD = "ignore::actlab.errors.ActlabWarning"


def model_of(dead=False):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 12), nn.ReLU(), nn.Linear(12, 12), nn.Tanh(), nn.Linear(12, 3))
    if dead:
        with torch.no_grad():
            model[0].bias.fill_(-100.0)
    return model


def train(model, steps=120):
    torch.manual_seed(1)
    x = torch.randn(64, 5)
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(steps):
        optimiser.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimiser.step()
    return model


def recorded(directory, *, dead=False, steps=120, every=10):
    model = model_of(dead)
    with actlab.watch(model, directory, every=every) as watch:
        train(model, steps)
    return watch, load(directory)


def plain(value):
    """Lists for tuples, as JSON has them."""
    if isinstance(value, dict):
        return {name: plain(own) for name, own in value.items()}
    return [plain(own) for own in value] if isinstance(value, (tuple, list)) else value


def same(a, b):
    return np.allclose(a, b, rtol=1e-6, atol=0, equal_nan=True)


def test_a_recording_holds_what_was_seen(tmp_path):
    watch, recording = recorded(tmp_path / "run")
    assert recording.complete
    assert isinstance(recording.study, Observed)
    assert recording.study.watched
    assert recording.probes["step"][:, 0].tolist() == [look.step for look in watch.looks]
    assert recording.metrics["train_loss"][:, 0].tolist() == [look.loss for look in watch.looks]
    assert recording.act_layers == ("1", "3")
    assert recording.weight_layers == ("0", "2", "4")
    assert recording.facts["place_functions"] == {"1": "relu", "3": "tanh"}
    assert recording.probes["weight_gradient_norm"].shape == (len(watch.looks), 1, 3)
    last = watch.looks[-1]
    assert same(recording.probes["weight_gradient_norm"][-1, 0], [own.gradient_norm for own in last.weights])
    assert same(recording.probes["signal"][-1, 0], [own.signal for own in last.functions])
    assert (
        recording.probes["activation_histogram"][-1, 0, 0].tolist() == last.functions[0].activation_histogram.tolist()
    )


@pytest.mark.filterwarnings(LOUD)
def test_looks_are_read_back_as_they_were_and_judged_alike(tmp_path):
    watch, recording = recorded(tmp_path / "run", dead=True)
    back = looks_of(recording)
    assert len(back) == len(watch.looks)
    for seen, read in zip(watch.looks, back, strict=True):
        assert (seen.step, seen.loss, seen.constant) == (read.step, read.loss, read.constant)
        np.testing.assert_equal(plain(read.facts), plain(seen.facts))
        for a, b in zip(seen.functions, read.functions, strict=True):
            assert (a.name, a.function, a.calls, a.samples, a.dead.tolist()) == (
                b.name,
                b.function,
                b.calls,
                b.samples,
                b.dead.tolist(),
            )
            assert same(a.activation_gradient_norm, b.activation_gradient_norm)
        for a, b in zip(seen.weights, read.weights, strict=True):
            assert a.name == b.name
            assert same(a.update_ratio, b.update_ratio)
            assert a.histogram.tolist() == b.histogram.tolist()
    codes = [own["code"] for own in findings_of(watch.looks)]
    assert codes == [own["code"] for own in verdict_in(recording).findings] == [own["code"] for own in watch.findings]
    assert codes[0] == "dead_units"
    assert recording.facts["findings"][0]["code"] == "dead_units"


def test_recorded_or_not_the_weights_end_with_the_same_bytes(tmp_path):
    plain, watched = train(model_of()), model_of()
    with actlab.watch(watched, tmp_path / "run", every=7):
        train(watched)
    for a, b in zip(plain.parameters(), watched.parameters(), strict=True):
        assert a.detach().numpy().tobytes() == b.detach().numpy().tobytes()


def test_a_directory_that_holds_something_is_refused_and_the_model_can_be_watched_again(tmp_path):
    recorded(tmp_path / "run")
    model = model_of()
    with pytest.raises(InvalidRecording, match="name a new directory"):
        actlab.watch(model, tmp_path / "run")  # Nothing else is said: a warning would be an error here.
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(InvalidRecording, match="name a new directory"):
        actlab.watch(model, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"
    with actlab.watch(model, tmp_path / "other"):
        train(model, 2)
    assert load(tmp_path / "other").complete


def test_a_disk_that_is_full_ends_the_recording_alone_and_says_so_once(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    model = model_of()
    watch = actlab.watch(model, tmp_path / "run", every=5)
    train(model, 3)
    monkeypatch.setattr(writer, "write_synced", full)
    monkeypatch.setattr(recorder, "SECONDS", 0.0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        train(model, 60)
        watch.remove()
    sentences = [str(own.message) for own in told if issubclass(own.category, ActlabWarning)]
    assert [own for own in sentences if "No space left" in own] == sentences
    assert len(sentences) == 1
    assert "The training goes on" in sentences[0]
    assert watch.stopped is None
    assert watch.looks[-1].step == 60
    recording = load(tmp_path / "run")
    assert not recording.complete
    assert recording.probes["step"][:, 0].tolist() == [0]


def test_a_program_that_is_killed_leaves_what_was_written_and_one_that_ends_all(tmp_path):
    script = (
        "import os, sys, torch, actlab\n"
        "from tests.test_watch_recording import model_of, train\n"
        "from actlab.watching import recorder\n"
        "recorder.SECONDS = recorder.SHARE = 0.0\n"
        "model = model_of()\n"
        "watch = actlab.watch(model, sys.argv[1], every=10)\n"
        "train(model, 50)\n"
        "if sys.argv[2] == 'kill': os._exit(9)\n"
    )
    for how in ("kill", "end"):
        subprocess.run([sys.executable, "-c", script, str(tmp_path / how), how], check=False, timeout=120)
    killed, ended = load(tmp_path / "kill"), load(tmp_path / "end")
    assert not killed.complete
    assert killed.probes["step"][:, 0].tolist() == [0, 1, 2, 3, 4, 5, 10, 20, 30, 40]
    assert len(looks_of(killed)) == 10
    assert ended.complete
    assert ended.epochs == 9


def test_of_a_long_training_ever_fewer_looks_are_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "ROWS", 8)
    model = model_of()
    with actlab.watch(model, tmp_path / "run", every=1):
        train(model, 40)
    steps = load(tmp_path / "run").probes["step"][:, 0].tolist()
    assert steps[:8] == list(range(8))
    assert steps[8:16] == list(range(8, 24, 2))
    assert steps[16:] == [24, 28, 32, 36]


def test_a_place_that_is_seen_later_does_not_spoil_the_recording(tmp_path):
    class Late(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers, self.late, self.steps = model_of(), nn.GELU(), 0

        def forward(self, x):
            self.steps += 1
            return self.late(self.layers(x)) if self.steps > 20 else self.layers(x)

    model = Late()
    with actlab.watch(model, tmp_path / "run", every=5) as watch:
        train(model, 40)
    assert watch.stopped is None
    assert {own.name for own in watch.looks[-1].functions} > {
        own.name for own in looks_of(load(tmp_path / "run"))[-1].functions
    }


def test_a_callback_gets_each_finding_once(tmp_path):
    called = []
    model = model_of(dead=True)
    with (
        pytest.warns(ActlabWarning, match=r"dead from the start.*\[dead_units\]"),
        actlab.watch(model, every=5, on_finding=called.append),
    ):
        train(model)
    assert [own["code"] for own in called] == ["dead_units"]


def test_the_page_can_be_written_while_it_trains(tmp_path):
    model = model_of()
    with actlab.watch(model, tmp_path / "run", every=5) as watch:
        train(model, 20)
        page = watch.report()
        assert page == tmp_path / "run" / "report.html"
        train(model, 20)
    assert load(tmp_path / "run").complete
    with actlab.watch(model) as watch, pytest.raises(ActlabError, match="give a directory"):
        watch.report()


@pytest.mark.filterwarnings(LOUD)
def test_the_command_says_what_is_wrong_and_its_exit_code_is_for_programs(tmp_path, monkeypatch, capsys):
    recorded(tmp_path / "well")
    recorded(tmp_path / "ill", dead=True)
    run = command_line(monkeypatch, capsys)
    code, out, _ = run("diagnose", tmp_path / "well")
    assert (code, "Nothing wrong was found." in out) == (0, True)
    code, out, _ = run("diagnose", tmp_path / "ill")
    assert code == 1
    assert "[dead_units]" in out
    code, out, _ = run("diagnose", tmp_path / "ill", "--json")
    told = json.loads(out)
    assert (code, told["wrong"], told["findings"][0]["layer"]) == (1, True, "1")
    muted = [flag for own in told["findings"] for flag in ("--mute", own["code"])]
    code, out, _ = run("diagnose", tmp_path / "ill", *muted)
    assert (code, "Nothing wrong was found." in out) == (0, True)
    code, _, err = run("diagnose", tmp_path)
    assert code == 2
    assert "run directory" in err


def test_a_look_without_anything_is_recorded_too(tmp_path):
    from actlab.study import observed

    own = recorder.Recorder(tmp_path / "run", observed("m:Net"), {})
    own.add(Look(0, float("nan"), Constant(), (), ()))
    own.finish()
    assert load(tmp_path / "run").epochs == 0
    assert len(looks_of(load(tmp_path / "run"))) == 1


def test_a_loop_that_never_steps_is_told_and_leaves_nothing(tmp_path):
    model = model_of()
    with pytest.warns(ActlabWarning, match="no step of an optimiser"), actlab.watch(model, tmp_path / "run"):
        model(torch.randn(4, 5))
    assert not (tmp_path / "run").exists()
