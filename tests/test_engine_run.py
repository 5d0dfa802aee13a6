"""The host's side: what becomes of results, in which order, and what is left when something breaks."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from tests.engine_support import small_task

from actlab import engine, statistics
from actlab.engine import run
from actlab.engine.run import Progress, _advance, _kinds, _throughput
from actlab.errors import InvalidNetwork, InvalidRecording
from actlab.layers import Act, Dense
from actlab.objectives import CLASSES
from actlab.plan.batches import OBSERVE, SKIP, TRAIN, orders
from actlab.plan.cards import card_of
from actlab.plan.collector import Collector, Observed
from actlab.plan.population import members, populations
from actlab.recording import METRICS, Writer, load
from actlab.study import Milestone, Study

LAYERS = [Dense(2), Act(), Dense(1)]


@pytest.fixture(scope="module")
def task():
    return small_task((40, 10, 10), 2)


def study_of(**changes):
    settings = {"network": LAYERS, "activations": ["tanh", "relu"], "seeds": 2, "batch": 16, "epochs": 12,
                "optimiser": "sgd", "learning_rates": [0.05], "probe_samples": 8}  # fmt: skip
    return Study(**(settings | changes))


class Pages:
    """A writer that keeps what it is given."""

    def __init__(self):
        self.commits = []

    def commit(self, first_epoch, metrics, arrays, diverged, kind="epochs"):
        page = SimpleNamespace(first=first_epoch, metrics=metrics, arrays=arrays, diverged=diverged, kind=kind)
        self.commits.append(page)


def collector_of(study, counts, keeps_weights=False):
    groups = populations(study, (2,))
    programs = [SimpleNamespace(population=population, keeps_weights=keeps_weights) for population in groups]
    count = len(members(groups))
    return Collector(CLASSES, programs, np.array(counts, float), Pages(), np.ones(count, bool))


# The ledger, with made-up results. Sets: train, validation, test, two classes.

COUNTS = [40, 10, 20, 25, 15]


def sums(metric, shape, rng):
    """Made-up sums of a metric: whole numbers where it counts what is right."""
    drawn = rng.exponential(size=shape) if metric.better == "lower" else rng.integers(0, 10, size=shape)
    return drawn.astype(np.float32)


def results_of(collector, chunk, filled, rng):
    """Made-up results (chunk, variants, seeds, ...) of every program, with `filled` seeds to fill up the devices."""
    found = []
    for program in collector.programs:
        shape = (chunk, len(program.population.variants), len(program.population.seeds) + filled)
        found.append(
            Observed(
                {metric.name: sums(metric, (*shape, 3), rng) for metric in collector.objective.metrics},
                rng.integers(0, 10, size=(*shape, 2)).astype(np.float32),
                {"flat_share": rng.random(size=(*shape, 1)).astype(np.float32)},
                None,
            )
        )
    return found


def test_results_are_put_in_the_order_of_the_members_and_divided_by_their_counts():
    study = study_of(activations=["tanh", "maxout", "relu"], seeds=[5, 6, 7])
    collector = collector_of(study, COUNTS)
    results = results_of(collector, 4, 1, np.random.default_rng(0))
    collector.commit(range(8, 11), results)
    (page,) = collector.sink.commits
    assert (page.first, page.kind, page.diverged) == (8, "epochs", {})
    assert tuple(page.metrics) == METRICS
    everyone = members(populations(study, (2,)))
    assert [m.activation for m in everyone] == ["tanh"] * 3 + ["relu"] * 3 + ["maxout"] * 3
    places = [(0, 0), (0, 1), (1, 0)]  # program and variant of tanh, relu and maxout
    for member in everyone:
        which, variant = places[member.id // 3]
        own = jax.tree.map(lambda array: array[:3, variant, member.id % 3], results[which])  # noqa: B023
        for i, part in enumerate(("train", "validation", "test")):
            for name, found in own.sums.items():
                np.testing.assert_allclose(page.metrics[f"{part}_{name}"][:, member.id], found[:, i] / COUNTS[i])
        np.testing.assert_array_equal(page.arrays["flat_share"][:, member.id], own.probes["flat_share"])
        np.testing.assert_allclose(page.arrays["class_accuracy"][:, member.id], own.right / COUNTS[3:])
    assert page.arrays.keys() == {"flat_share", "class_accuracy"}
    assert page.arrays["class_accuracy"].dtype == np.float32


def test_a_member_is_masked_from_its_first_loss_that_is_not_finite():
    collector = collector_of(study_of(seeds=3), COUNTS)
    rng = np.random.default_rng(1)
    (first,), (second,) = results_of(collector, 3, 1, rng), results_of(collector, 3, 1, rng)
    first.sums["loss"][1, 0, 1, 0] = np.nan  # member 1: and finite again after it
    first.sums["loss"][2, 1, 0, 0] = np.inf  # member 3
    first.sums["loss"][0, 0, 0, 1:] = np.nan  # member 0: of no account, only training counts
    first.sums["loss"][0, :, 3] = np.nan  # a seed that only fills up the devices
    second.sums["loss"][0, 1, 2, 0] = -np.inf  # member 5
    second.sums["loss"][2, 0, 1, 0] = np.nan  # member 1 again
    collector.commit(range(3), [first])
    collector.commit(range(3, 6), [second])
    one, two = collector.sink.commits
    nan, infinite = "the training loss became not a number", "the training loss became infinite"
    assert one.diverged == {1: (1, nan), 3: (2, infinite)}
    assert two.diverged == {5: (3, infinite)}
    masked = np.zeros((6, 6), bool)
    masked[1:, 1] = masked[2:, 3] = masked[3:, 5] = True
    for name in METRICS:
        values = np.concatenate([one.metrics[name], two.metrics[name]])
        expected = masked.copy()
        if name in ("validation_loss", "test_loss"):
            expected[0, 0] = True  # Not masked, but recorded as it is.
        np.testing.assert_array_equal(np.isnan(values), expected, err_msg=name)
    assert collector.alive.tolist() == [True, False, True, False, True, False]


def test_a_diverged_member_reaches_no_milestone(task, tmp_path):
    study = study_of(
        activations=["linear"], learning_rates=[1e38], epochs=2, milestones=[Milestone(name="class 0", label=0)]
    )
    recording = engine.train(study, tmp_path / "run", task=task)
    assert all(member.diverged_epoch == 1 for member in recording.members)
    (milestone,) = statistics.summarise(recording)["activations"][0]["milestones"]
    assert milestone["reached"] == 0


def test_weights_are_named_by_activation_and_hold_its_members_alone():
    """Every number is the id of its member, so that a wrong row would show."""
    layers = [Dense(2), Act(), Dense(2), Act("prelu"), Dense(1)]
    study = study_of(network=layers, activations=["prelu", "maxout", "tanh"], learning_rates=[0.1, 0.2],
                     seeds=3)  # fmt: skip
    collector = collector_of(study, COUNTS, keeps_weights=True)
    everyone = members(populations(study, (2,)))
    results = results_of(collector, 2, 1, np.random.default_rng(0))
    first = 0
    for place, program in enumerate(collector.programs):
        variants, seeds = len(program.population.variants), len(program.population.seeds)
        ids = np.full((2, variants, seeds + 1), -1.0)
        ids[:, :, :seeds] = first + np.arange(variants * seeds).reshape(variants, seeds)
        first += variants * seeds
        weights = {
            name: {"weight": ids[..., None, None] * np.ones((2, 1)), "bias": ids[..., None] * np.ones(2)}
            for name in ("dense1", "dense2", "dense3")
        }
        for built, group, shapes in program.population.acts():
            for parameter in shapes:
                own = ids[:, group.start : group.stop, :, None] * np.ones(2)
                weights.setdefault(built.name, {})[group.function.name] = {parameter: own}
        results[place] = results[place]._replace(weights=weights)
    collector.commit(range(2), results)
    arrays = {k: v for k, v in collector.sink.commits[0].arrays.items() if k.startswith("weights/")}
    expected = {f"weights/{a}/dense{i}/{p}" for a in study.activations for i in (1, 2, 3) for p in ("weight", "bias")}
    expected |= {f"weights/{a}/act2/negative_slope" for a in study.activations} | {"weights/prelu/act1/negative_slope"}
    assert arrays.keys() == expected
    for name, array in arrays.items():
        own = [m.id for m in everyone if m.activation == name.split("/")[1]]
        assert array.shape[:2] == (2, 6)
        np.testing.assert_array_equal(
            array.reshape(2, 6, -1), np.ones((2, 6, array[0, 0].size)) * np.array(own)[:, None]
        )


# Chunks.


@pytest.mark.parametrize(
    ("epochs", "chunk", "expected"),
    [
        (range(4), 4, [OBSERVE, TRAIN, TRAIN, TRAIN]),
        (range(1), 1, [OBSERVE]),
        (range(4, 8), 4, [TRAIN] * 4),
        (range(8, 10), 4, [TRAIN, TRAIN, SKIP, SKIP]),
        (range(1), 3, [OBSERVE, SKIP, SKIP]),
    ],
)
def test_epoch_0_is_observed_and_what_lies_after_the_last_is_skipped(epochs, chunk, expected):
    kinds = _kinds(epochs, chunk)
    assert kinds.tolist() == expected
    assert kinds.dtype == np.int32


def test_a_chunk_is_handed_over_with_its_epochs_shuffled():
    handed = []
    program = SimpleNamespace(seeds=(0, 1), advance=lambda kinds, order: handed.append((kinds.tolist(), order)))
    assert _advance(study_of(epochs=6), 40, [program, program], range(4, 7), 4) == [None, None]
    for kinds, order in handed:
        assert kinds == [TRAIN] * 3 + [SKIP]
        np.testing.assert_array_equal(order[:3], orders(study_of(epochs=6), 40, (0, 1), range(4, 7)))
        np.testing.assert_array_equal(order[3:], np.full((1, *order.shape[1:]), -1))


def test_throughput_counts_steps_of_the_last_smaller_batch_too():
    """40 samples in batches of 16 are 3 steps an epoch; 36 in 12 epochs, for 4 networks in 2 seconds."""
    found = _throughput(study_of(), 40, 4, 2.0)
    assert found["steps"] == 36
    assert found["net_steps_per_second"] == 72
    assert found["samples_per_second"] == 4 * 12 * 40 / 2
    assert found["members"] == 4


# Whole runs.


def test_progress_comes_in_order_with_what_has_been_done(task, tmp_path):
    seen: list[Progress] = []
    recording = engine.train(study_of(), tmp_path / "run", task=task, progress=seen.append)
    assert seen[0] == Progress(0, 12, 4, 0, 0.0)
    # 13 epochs with the untrained network, in chunks of ⌈13 / 10⌉.
    assert [progress.epoch for progress in seen] == [0, 1, 3, 5, 7, 9, 11, 12]
    assert [progress.samples for progress in seen] == [progress.epoch * 40 * 4 for progress in seen]
    seconds = [progress.seconds for progress in seen]
    assert seconds == sorted(seconds)
    assert seconds[1] > 0
    assert all((progress.epochs, progress.members) == (12, 4) for progress in seen)
    assert recording.epochs == 12
    # The last word comes when the last chunk is written, a little after it was computed.
    assert 0 < recording.facts["throughput"]["train_seconds"] <= seconds[-1]


class Broken(Exception):
    pass


def test_what_breaks_the_writing_thread_reaches_the_caller(task, tmp_path, monkeypatch):
    whole = engine.train(study_of(), tmp_path / "whole", task=task)
    commit, calls = Writer.commit, []

    def breaking(self, first_epoch, *arguments, **settings):
        calls.append((first_epoch, threading.current_thread() is threading.main_thread()))
        if first_epoch == 6:
            raise Broken
        commit(self, first_epoch, *arguments, **settings)

    monkeypatch.setattr(Writer, "commit", breaking)
    threads = threading.active_count()
    with pytest.raises(Broken):
        engine.train(study_of(), tmp_path / "run", task=task)
    # The sample first, by the caller; then chunks of two epochs on a thread of their own, none after the broken one.
    assert calls == [(0, True), (0, False), (2, False), (4, False), (6, False)]
    assert threading.active_count() == threads
    left = load(tmp_path / "run")
    assert not left.complete
    assert left.epochs == 5
    for name in METRICS:
        np.testing.assert_array_equal(left.metrics[name], whole.metrics[name][:6])
    assert left.weights(left.members[0], 5)["dense1"]["weight"].shape == (2, 2)


def test_what_breaks_the_last_chunk_reaches_the_caller_too(task, tmp_path, monkeypatch):
    commit = Writer.commit

    def breaking(self, first_epoch, *arguments, **settings):
        if first_epoch == 12:
            raise Broken
        commit(self, first_epoch, *arguments, **settings)

    monkeypatch.setattr(Writer, "commit", breaking)
    with pytest.raises(Broken):
        engine.train(study_of(), tmp_path / "run", task=task)
    left = load(tmp_path / "run")
    assert not left.complete
    assert left.epochs == 11


def test_an_interrupt_keeps_what_was_handed_over(task, tmp_path):
    def interrupt(progress):
        if progress.epoch == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.train(study_of(), tmp_path / "run", task=task, progress=interrupt)
    left = load(tmp_path / "run")
    assert not left.complete
    assert left.epochs == 5


def test_large_networks_leave_their_weights_at_the_start_and_at_the_end(task, tmp_path, monkeypatch):
    kept = engine.train(study_of(seeds=3), tmp_path / "kept", task=task)
    monkeypatch.setattr("actlab.plan.population.SMALL", 1)
    recording = engine.train(study_of(seeds=3), tmp_path / "large", task=task)
    assert recording.weight_epochs == (0, 12)
    assert kept.weight_epochs == tuple(range(13))
    assert set(map(tuple, recording.sample["x"])) == set(map(tuple, task.x_train))
    assert set(map(tuple, kept.sample["x"])) == set(map(tuple, task.x_train))
    for member in recording.members:
        for epoch in (0, 12):
            ours, theirs = recording.weights(member, epoch), kept.weights(member, epoch)
            for layer in ("dense1", "dense2"):
                np.testing.assert_allclose(ours[layer]["weight"], theirs[layer]["weight"], rtol=1e-5, atol=1e-6)


def test_large_networks_leave_the_first_seeds_weights_in_between(task, tmp_path, monkeypatch):
    kept = engine.train(study_of(seeds=3), tmp_path / "kept", task=task)
    monkeypatch.setattr("actlab.plan.population.SMALL", 1)
    monkeypatch.setattr(run, "chunk_length", lambda *_: 1)
    monkeypatch.setattr(run, "EPOCHS_BETWEEN", 3)
    recording = engine.train(study_of(seeds=3), tmp_path / "large", task=task)
    assert recording.first_seed_epochs == (0, 1, 4, 11, 12)
    for member in recording.members:
        if member.seed != 0:
            with pytest.raises(InvalidRecording, match="of epoch 4 only the weights of seed 0 were kept"):
                recording.weights(member, 4)
            continue
        for epoch in (1, 4, 11):
            ours, theirs = recording.weights(member, epoch), kept.weights(member, epoch)
            for layer in ("dense1", "dense2"):
                np.testing.assert_allclose(ours[layer]["weight"], theirs[layer]["weight"], rtol=1e-5, atol=1e-6)


def test_large_networks_leave_as_many_samples_as_their_size_allows(task, tmp_path, monkeypatch):
    monkeypatch.setattr("actlab.plan.population.SMALL", 1)
    monkeypatch.setattr(run, "SAMPLES_OF_LARGE", 8)
    recording = engine.train(study_of(seeds=1, epochs=1), tmp_path / "few", task=task)
    x, y = recording.sample["x"], recording.sample["y"]
    assert x.shape == (8, 2)
    own = dict(zip(map(tuple, task.x_train.tolist()), task.y_train.tolist(), strict=True))
    assert [own[tuple(sample)] for sample in x.tolist()] == y.tolist()
    monkeypatch.setattr(run, "SAMPLE_NUMBERS", 15)
    assert engine.train(study_of(seeds=1, epochs=1), tmp_path / "none", task=task).sample == {}


@pytest.mark.parametrize("layers", [[Act(), Dense(1)], [Act(), Dense(2), Act("tanh"), Dense(1)]], ids=["one", "two"])
def test_a_function_straight_on_the_data_is_probed_for_every_member(layers, task, tmp_path):
    recording = engine.train(study_of(network=layers, epochs=1), tmp_path / "run", task=task)
    assert {array.shape[1] for array in recording.probes.values()} == {4}


def test_a_network_without_parameters_is_run_or_refused_in_words(task, tmp_path):
    with pytest.raises(InvalidNetwork):
        engine.train(study_of(network=[Act()], epochs=1), tmp_path / "run", task=task)


def test_cards_say_of_a_function_what_it_computes():
    card = card_of("leaky_relu")
    x = np.array(card["x"])
    assert (x[0], x[-1], len(x)) == (-6, 6, 241)
    np.testing.assert_allclose(card["value"], np.where(x > 0, x, 0.01 * x))
    np.testing.assert_allclose(np.delete(card["derivative"], 120), np.delete(np.where(x > 0, 1, 0.01), 120))
    assert card_of("maxout")["value"] is None
