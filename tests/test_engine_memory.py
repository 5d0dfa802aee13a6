"""Runs in slices of seeds: the same results, and no more memory than they may take."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from tests.engine_support import in_double

from actlab import engine
from actlab.engine import memory, program
from actlab.engine.memory import build_within, process_bytes, program_bytes
from actlab.errors import InvalidStudy
from actlab.layers import Act, BatchNorm, Conv, Dense, Dropout, Flatten, MaxPool
from actlab.plan.evaluation import prepare
from actlab.plan.population import populations
from actlab.study import Study, complete
from actlab.tasks.task import build

SMALL = [Dense(4), Act(), Dropout(0.25), Dense(4), Act(), Dense(1)]
# Without a bias before normalisation, whose gradient would be nothing but rounding.
WIDE = [Flatten(), Dense(24, bias=False), BatchNorm(), Act(), Dropout(0.25), Dense(3)]
IMAGES = [Conv(4, 3), Act(), MaxPool(2), Flatten(), Dropout(0.25), Dense(3)]


def task_of(shape, classes, samples=90):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(classes, *shape))

    def part(count):
        y = np.arange(count) % classes
        return centres[y] + 0.5 * rng.normal(size=(count, *shape)), y

    return build("made-up", part(samples), part(20), part(20), provenance="made up")


def study_of(**settings):
    defaults = {"task": "made-up", "activations": ["relu", "tanh", "prelu"], "learning_rates": 0.05, "batch": 16}
    return Study(**defaults | {"seeds": 5, "epochs": 3} | settings)


def in_slices_of(share, monkeypatch):
    """Make every population run in slices of so many seeds, whatever memory there is."""
    real = program.build

    def build(*arguments, **_):
        return real(*arguments, share=share)

    monkeypatch.setattr(memory, "build", build)


def everything(recording):
    """All numbers of a recording that do not depend on the time it took, by name."""
    found = dict(recording.metrics) | dict(recording.probes)
    for epoch in recording.weight_epochs:
        for member in recording.members:
            for layer, own in recording.weights(member, epoch).items():
                found |= {f"weights of {member.id} at {epoch}: {layer}/{name}": v for name, v in own.items()}
    return found


def assert_alike(sliced, whole, tolerance):
    """The same members with the same numbers, relative to the largest in an array."""
    assert sliced.members == whole.members
    ours, theirs = everything(sliced), everything(whole)
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        largest = np.nanmax(np.abs(expected)) if np.isfinite(expected).any() else 0
        np.testing.assert_allclose(ours[name], expected, rtol=0, atol=tolerance * float(largest), err_msg=name)


CASES = {
    "lanes": (SMALL, (2,), 2, {"optimiser": "sgd"}),
    "stacked": (WIDE, (12,), 3, {}),
    "images": (IMAGES, (6, 6, 1), 3, {"epochs": 2}),
    "two populations": ([Dense(6), Act(), Dense(1)], (2,), 2, {"activations": ["relu", "maxout"], "init": "gain"}),
}


@pytest.mark.parametrize("case", CASES)
def test_slices_give_the_result_of_the_whole(case, tmp_path, monkeypatch):
    """Five seeds on two devices, in float64: rounding, in which alone they may differ, stays far below 1e-9.

    Slices of one seed on one device, and of three with one to fill up.
    """
    layers, shape, classes, settings = CASES[case]
    task, study = in_double(task_of(shape, classes)), study_of(network=layers, **settings)
    with jax.enable_x64(True):
        whole = engine.train(study, tmp_path / "whole", task=task)
        assert len({member.seed for member in whole.members}) == 5
        for share in (1, 3):
            in_slices_of(share, monkeypatch)
            assert_alike(engine.train(study, tmp_path / f"slices of {share}", task=task), whole, 1e-9)


def test_in_float32_slices_differ_by_its_rounding_and_start_alike(tmp_path, monkeypatch):
    layers, shape, classes, _ = CASES["stacked"]
    task, study = task_of(shape, classes), study_of(network=layers, optimiser="sgd")
    whole = engine.train(study, tmp_path / "whole", task=task)
    in_slices_of(1, monkeypatch)
    sliced = engine.train(study, tmp_path / "sliced", task=task)
    for member in whole.members:
        for epoch, tolerance in ((0, 0), (3, 1e-4)):
            ours, theirs = (jax.tree.leaves(run.weights(member, epoch)) for run in (sliced, whole))
            for own, expected in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(own, expected, rtol=0, atol=tolerance * np.abs(expected).max())
    assert np.array_equal(sliced.metrics["test_accuracy"], whole.metrics["test_accuracy"])
    again = engine.train(study, tmp_path / "again", task=task)
    assert [segment.sha256 for segment in again.segments] == [segment.sha256 for segment in sliced.segments]


def test_large_networks_leave_the_weights_of_all_slices(tmp_path, monkeypatch):
    """They are gathered from the states, at the start and at the end."""
    monkeypatch.setattr("actlab.plan.population.SMALL", 1)
    task, study = task_of((12,), 3), study_of(network=WIDE, optimiser="sgd")
    whole = engine.train(study, tmp_path / "whole", task=task)
    in_slices_of(2, monkeypatch)
    sliced = engine.train(study, tmp_path / "sliced", task=task)
    assert sliced.weight_epochs == whole.weight_epochs == (0, 3)
    weights = {name: values for name, values in everything(whole).items() if name.startswith("weights")}
    ours = everything(sliced)
    assert len(weights) == 2 * 15 * 7 + 2 * 5  # Prelu's members have a slope besides.
    for name, expected in weights.items():
        np.testing.assert_allclose(ours[name], expected, rtol=0, atol=1e-4 * np.abs(expected).max(), err_msg=name)


def prepared(layers, shape, classes, **settings):
    task = task_of(shape, classes)
    study = complete(study_of(network=layers, **settings), task)
    return study, task, populations(study, shape)


def test_without_a_budget_nothing_is_sliced():
    study, task, groups = prepared(SMALL, (2,), 2)
    (built,) = build_within(study, prepare(study, task), groups, 1, None)
    assert built.slices == ((0, 1, 2, 3, 4, 0),) if built.compiler.devices.size == 2 else ((0, 1, 2, 3, 4),)


def test_a_budget_just_met_slices_nothing_and_a_smaller_one_as_little_as_it_can(monkeypatch):
    monkeypatch.setattr(memory, "process_bytes", lambda: 10**9)
    monkeypatch.setattr(memory, "RESERVE", 0)
    study, task, groups = prepared(WIDE, (12,), 3, seeds=16)
    (whole,) = build_within(study, prepare(study, task), groups, 1, None)
    enough = 10**9 + program_bytes(whole)
    assert len(build_within(study, prepare(study, task), groups, 1, enough)[0].slices) == 1
    sliced = build_within(study, prepare(study, task), groups, 1, enough - 1)[0]
    assert len(sliced.slices) == 2
    assert program_bytes(sliced) < program_bytes(whole)
    assert sliced.seeds == tuple(range(16))


def test_what_grows_with_a_slice_is_not_counted_for_those_that_wait():
    study, task, groups = prepared(WIDE, (12,), 3, seeds=32)
    sizes = {}
    for share in (32, 16, 8, 4):
        built = program.build(study, prepare(study, task), groups[0], 1, share=share)
        assert len(built.slices) == 32 // share
        sizes[share] = program_bytes(built)
    assert sizes[32] > sizes[16] > sizes[8] > sizes[4]
    # All states, and all results of a chunk, are there however thin the slices.
    networks = 3 * 32
    least = networks * 4 * 3 * groups[0].network.parameter_count
    assert sizes[4] > least


def test_two_populations_share_the_budget(monkeypatch):
    monkeypatch.setattr(memory, "process_bytes", lambda: 0)
    monkeypatch.setattr(memory, "RESERVE", 0)
    settings = {"activations": ["relu", "maxout"], "seeds": 16}
    study, task, groups = prepared([Flatten(), Dense(64), Act(), Dense(3)], (12,), 3, **settings)
    each = [program_bytes(built) for built in build_within(study, prepare(study, task), groups, 1, None)]
    assert len(each) == 2
    # Either fits in by itself, both do not.
    budget = max(each) + min(each) // 2
    sliced = build_within(study, prepare(study, task), groups, 1, budget)
    assert sum(map(program_bytes, sliced)) <= budget
    assert max(len(built.slices) for built in sliced) > 1


UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def test_less_than_one_seed_takes_is_refused_with_the_figures(tmp_path):
    task, study = task_of((2,), 2), study_of(network=SMALL)
    with pytest.raises(InvalidStudy) as refused:
        engine.train(study, tmp_path / "run", task=task, memory=process_bytes() + 1_000_000)
    said = re.fullmatch(
        r"a memory of [\d.]+ \w+ is too small: one seed at a time, the run takes about ([\d.]+) (\w+), of which "
        r"([\d.]+) (\w+) whatever it trains; give more, or fewer seeds or activations\.",
        str(refused.value),
    )
    assert said, str(refused.value)
    needed, besides = float(said[1]) * UNITS[said[2]], float(said[3]) * UNITS[said[4]]
    assert besides == pytest.approx(process_bytes() + memory.RESERVE, rel=0.2)
    assert besides <= needed < besides + 20 * 2**20
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="only Linux tells")
def test_a_process_takes_what_the_system_says():
    held = np.ones(50_000_000 // 8)
    with open("/proc/self/status", encoding="ascii") as status:
        resident = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))
    assert process_bytes() == pytest.approx(resident, rel=0.1)
    before = process_bytes()
    del held
    memory._let_go()
    assert process_bytes() < before - 40_000_000


PEAK = """
import json, sys
from actlab import engine, tasks
from actlab.layers import Act, Dense, Flatten
from actlab.study import Study

memory = json.loads(sys.argv[1])
layers = [Flatten(), Dense(256), Act(), Dense(10)]
study = Study(task="digits", network=layers, activations=["relu", "tanh"], learning_rates=0.001, seeds=100, epochs=1,
              batch=512)
recording = engine.train(study, sys.argv[2], task=tasks.load("digits"), memory=memory)
# Not ru_maxrss, in which a process starts with that of the one that started it.
with open("/proc/self/status", encoding="ascii") as status:
    peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
print(json.dumps([peak, recording.metrics["train_loss"].tolist()]))
"""


def peak_of(directory, budget):
    command = [sys.executable, "-c", PEAK, json.dumps(budget), str(directory)]
    # As users have it compiled: other programs take other memory.
    environment = {**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "0"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system has no /proc to tell a peak from")
def test_the_peak_of_a_process_stays_below_its_budget(tmp_path):
    """Run without a budget, it would take more: 200 networks on 512 samples each."""
    whole, recorded = peak_of(tmp_path / "whole", None)
    budget = whole - 100 * 2**20
    sliced, again = peak_of(tmp_path / "sliced", budget)
    assert sliced < budget < whole
    np.testing.assert_allclose(again, recorded, rtol=1e-3)
