"""Data that stay in the host's memory give the networks that data on the devices give."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from tests.engine_support import in_double, small_task

import actlab
from actlab.engine import memory, program, streaming
from actlab.laboratory import write_results
from actlab.layers import Act, BatchNorm, Conv, Dense, Dropout, Flatten
from actlab.plan import evaluation
from actlab.plan.batches import OBSERVE, TRAIN, orders
from actlab.plan.evaluation import prepare
from actlab.plan.population import populations
from actlab.study import SGD, Study, complete
from actlab.tasks.task import build_labels, build_numbers

VECTORS = [Dense(5), Act(), Dense(3)]
IMAGES = [Conv(3, 3), BatchNorm(), Act(), Flatten(), Dense(4), Dropout(0.3), Act(), Dense(3)]
CLASSES = small_task((41, 9, 13), 3)


def numbers(build=build_numbers, cut=False, **named):
    """Three inputs and two targets, numbers or labels."""
    rng = np.random.default_rng(5)
    parts = []
    for count in (41, 9, 13):
        x = rng.normal(size=(count, 3))
        y = x[:, :2] * [2.0, 0.3] + 0.1 * rng.normal(size=(count, 2))
        parts.append((x, (y > 0).astype(int) if cut else y))
    return build("made up", *parts, provenance="made up", **named)


CASES = {
    "classes, a padded batch": (CLASSES, {"network": VECTORS}),
    "classes, whole batches": (small_task((48, 9, 13), 3), {"network": VECTORS, "optimiser": SGD(momentum=0.9)}),
    "pictures, normalised, dropped": (
        small_task((41, 9, 13), 3, (6, 6, 1)),
        {"network": IMAGES, "optimiser": SGD(momentum=0.5)},
    ),
    "weighted": (CLASSES, {"network": VECTORS, "class_weights": {"0": 3.0, "1": 1.0, "2": 0.5}}),
    "functions that draw": (CLASSES, {"network": VECTORS, "activations": ["rrelu", "prelu"]}),
    "two widths": (CLASSES, {"network": VECTORS, "activations": ["tanh", "maxout"]}),
    "several rates, suited weights": (CLASSES, {"network": VECTORS, "learning_rates": [0.01, 0.1], "init": "gain"}),
    "numbers": (numbers(), {"network": [Dense(5), Act(), Dense(2)]}),
    "labels": (numbers(build_labels, cut=True, names=["a", "b"]), {"network": [Dense(5), Act(), Dense(2)]}),
    "one class or the other": (small_task((41, 9, 13), 2), {"network": [Dense(5), Act(), Dense(1)]}),
}


def study_of(task, **settings):
    defaults = {"activations": ["tanh", "prelu"], "seeds": [4, 1, 7], "batch": 16, "epochs": 4, "optimiser": "adam",
                "learning_rates": [0.01], "probe_samples": 8}  # fmt: skip
    return complete(Study(**(defaults | settings)), task)


def small_pieces(monkeypatch):
    """Blocks of a batch or two, evaluations in three slices."""
    monkeypatch.setattr(streaming, "BLOCK_BYTES", 8000)
    monkeypatch.setattr(evaluation, "SLICE_NUMBERS", 1500)


@pytest.mark.parametrize("name", CASES)
def test_in_double_precision_no_number_differs(name, monkeypatch):
    """Weights, sums, measures, and the test samples one by one, over epochs, in slices of the seeds."""
    small_pieces(monkeypatch)
    task, settings = CASES[name]
    task = in_double(task)
    with jax.enable_x64(True):
        study = study_of(task, **settings)
        data = prepare(study, task)
        for population in populations(study, task.input_shape):
            whole = program.build(study, data, population, 1)
            parts = streaming.build(study, data, population, share=2)
            assert len(parts.slices) == 2
            assert parts.seeds[:3] == whole.seeds[:3] == (4, 1, 7)
            for epoch, kind in enumerate((OBSERVE, TRAIN, TRAIN)):
                found = []
                for built in (whole, parts):
                    order = orders(study, len(task.x_train), built.seeds, range(epoch, epoch + 1))
                    observed = built.advance(np.array([kind], np.int32), order)
                    found.append(jax.tree.map(lambda leaf: np.asarray(leaf)[:, :, :3], observed))
                same(*found)
                same(whole.parameters(), parts.parameters())
            same(whole.first_parameters(), parts.first_parameters())


def same(ours, theirs):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for own, expected in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert own.shape == expected.shape
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(own, expected, rtol=1e-9, atol=1e-12)
        else:
            np.testing.assert_array_equal(own, expected)


def test_training_moves_what_is_compared():
    task = CLASSES
    study = study_of(task, network=VECTORS)
    (population,) = populations(study, task.input_shape)
    built = streaming.build(study, prepare(study, task), population)
    before = built.parameters()["dense1"]["weight"]
    order = orders(study, 41, built.seeds, range(1, 2))
    built.advance(np.array([TRAIN], np.int32), order)
    assert np.all(built.parameters()["dense1"]["weight"] != before)


@pytest.mark.parametrize("task", [CLASSES, numbers()], ids=["classes", "numbers"])
def test_a_whole_study_is_recorded_the_same_and_says_how_it_ran(task, tmp_path, monkeypatch):
    found = {}
    for name, share in (("whole", 1 / 5), ("parts", 0.0)):
        monkeypatch.setattr(streaming, "SHARE", share)
        study = Study(task=task.name, activations=["tanh", "relu"], seeds=3, epochs=3, batch=16)
        found[name] = actlab.run(study, tmp_path / name, task=task, progress=lambda _: None)
    whole, parts = found["whole"], found["parts"]
    assert (whole.facts["streamed"], parts.facts["streamed"]) == (False, True)
    assert set(whole.metrics) == set(parts.metrics)
    for name, values in whole.metrics.items():
        np.testing.assert_allclose(parts.metrics[name], values, rtol=1e-4, atol=1e-5, err_msg=name)
    assert "batch by batch" in (tmp_path / "parts" / "report.html").read_text(encoding="utf-8")
    assert "batch by batch" not in (tmp_path / "whole" / "report.html").read_text(encoding="utf-8")
    write_results(parts)


def test_data_of_more_than_a_fifth_of_the_memory_stay_on_the_host():
    study = study_of(CLASSES, network=VECTORS)
    data = prepare(study, CLASSES)
    size = streaming.data_bytes(data)
    assert size == sum(array.nbytes for own in (data.training, data.evaluation) for array in own.values())
    assert not streaming.streams(data, 5 * size)
    assert streaming.streams(data, 5 * size - 5)


def test_the_memory_asked_about_is_that_of_the_device_or_of_the_machine(monkeypatch):
    with open("/proc/meminfo", encoding="ascii") as file:
        total = 1024 * int(file.readline().split()[1])
    assert memory.device_memory() == pytest.approx(total, rel=1e-3)

    class Device:
        @staticmethod
        def memory_stats():
            return {"bytes_limit": 123}

    monkeypatch.setattr(jax, "local_devices", lambda: [Device()])
    assert memory.device_memory() == 123


def test_programs_for_other_numbers_of_seeds_are_others(tmp_path, monkeypatch):
    """The same study with more seeds, which the report advises, takes none of the kept programs for fewer."""
    monkeypatch.setattr(streaming, "SHARE", 0.0)
    for seeds in (2, 4, 2):
        study = Study(task="small", activations=["tanh"], seeds=seeds, epochs=1, batch=16)
        directory = tmp_path / f"{seeds}"
        recording = actlab.run(study, directory, task=CLASSES, progress=lambda _: None)
        assert recording.complete
        assert len(recording.members) == seeds


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_pictures_train_in_double_precision(tmp_path, monkeypatch, share):
    monkeypatch.setattr(streaming, "SHARE", share)
    with jax.enable_x64(True):
        network = [Conv(3, 3), Act(), Flatten(), Dense(3)]
        study = Study(task="small", network=network, activations=["tanh"], seeds=2, epochs=1, batch=16)
        task = small_task((41, 9, 13), 3, (6, 6, 1))
        recording = actlab.run(study, tmp_path / "run", task=task, progress=lambda _: None)
    assert recording.facts["precision"] == "float64"
