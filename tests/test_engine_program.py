"""Order of the data, its slices, and the compiled chunk: what may change a result and what may not."""

from __future__ import annotations

import math

import jax
import numpy as np
import pytest
import scipy.stats
from tests.engine_support import compiled, population_of, small_task

from actlab.layers import Act, Conv, Dense, Flatten
from actlab.plan import batches, evaluation
from actlab.plan.batches import OBSERVE, SKIP, TRAIN, chunk_length, orders
from actlab.plan.evaluation import prepare, sliced
from actlab.study import Study, complete

LAYERS = [Dense(3), Act(), Dense(3)]


#: Three classes in the plane, 41 training samples, 9 and 13 others.
TASK = small_task((41, 9, 13), 3)


def study_of(task=TASK, **changes):
    settings = {"network": LAYERS, "activations": ["tanh", "prelu"], "seeds": [4, 1, 7], "batch": 16, "epochs": 6,
                "optimiser": "adam", "learning_rates": [0.01], "probe_samples": 8}  # fmt: skip
    return complete(Study(**(settings | changes)), task)


# The order of the data.


def flat(order):
    """(epochs, steps, batch, seeds) -> (epochs, seeds, places)."""
    return order.transpose(0, 3, 1, 2).reshape(order.shape[0], order.shape[3], -1)


@pytest.mark.parametrize(("samples", "batch"), [(41, 16), (48, 16), (5, 16), (16, 16), (7, 1), (1, 3)])
def test_every_epoch_is_a_permutation_padded_at_its_end(samples, batch):
    order = orders(study_of(batch=batch), samples, (3, 0, 2**32 - 1), range(2, 7))
    steps = math.ceil(samples / batch)
    assert order.shape == (5, steps, batch, 3)
    assert order.dtype == np.int32
    for places in flat(order).reshape(-1, steps * batch):
        np.testing.assert_array_equal(np.sort(places[:samples]), np.arange(samples))
        assert np.all(places[samples:] == -1)


def test_neither_chunks_nor_company_change_the_order():
    study = study_of()
    whole = orders(study, 41, (4, 1, 7), range(9))
    parts = [orders(study, 41, (4, 1, 7), epochs) for epochs in (range(1), range(1, 5), range(5, 9))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(orders(study, 41, (7,), range(9)), whole[..., 2:])
    np.testing.assert_array_equal(orders(study, 41, (1, 9, 4), range(9))[..., [2, 0]], whole[..., :2])


def test_the_batch_cuts_one_order_into_steps():
    small, large = (orders(study_of(batch=batch), 40, (4, 1), range(3)) for batch in (5, 20))
    np.testing.assert_array_equal(flat(small), flat(large))


def test_no_two_epochs_and_no_two_seeds_share_an_order():
    found = flat(orders(study_of(), 41, tuple(range(30)), range(30)))
    assert len({places.tobytes() for places in found.reshape(900, -1)}) == 900


@pytest.mark.parametrize("over", ["epochs", "seeds"])
def test_every_sample_comes_at_every_place_equally_often(over):
    seeds, epochs = ((6,), range(2000)) if over == "epochs" else (tuple(range(2000)), range(3, 4))
    found = flat(orders(study_of(batch=10), 10, seeds, epochs)).reshape(2000, 10)
    counts = np.array([np.bincount(found[:, place], minlength=10) for place in range(10)])
    statistic = np.sum((counts - 200) ** 2 / 200)
    # Rows and columns are fixed: 81 degrees of freedom. The seeds are fixed too, so the outcome is.
    low, high = scipy.stats.chi2.ppf([1e-3, 1 - 1e-3], 81)
    assert low < statistic < high
    # Which sample comes first tells nothing about the epoch, or seed, after it.
    pairs = np.histogram2d(found[:-1, 0], found[1:, 0], bins=10)[0]
    assert scipy.stats.chi2_contingency(pairs).pvalue > 1e-3


# Evaluation samples and slices.


def in_slices(data, study, task=TASK):
    return sliced(data.evaluation, population_of(study, task), patches=True)


def joined(data):
    """The slices put end to end again."""
    return {name: array.reshape(-1, *array.shape[2:]) for name, array in data.items()}


def test_evaluation_holds_all_parts_with_their_membership():
    study = study_of()
    data = prepare(study, TASK)
    found = joined(in_slices(data, study))
    np.testing.assert_array_equal(found["x"], np.concatenate([TASK.x_train, TASK.x_validation, TASK.x_test]))
    np.testing.assert_array_equal(found["y"], np.concatenate([TASK.y_train, TASK.y_validation, TASK.y_test]))
    assert data.counts.tolist() == [41, 9, 13, 14, 14, 13]
    for i, rows in enumerate((slice(0, 41), slice(41, 50), slice(50, 63))):
        expected = np.zeros(63)
        expected[rows] = 1
        np.testing.assert_array_equal(found["membership"][:, i], expected)
    for k in range(3):
        np.testing.assert_array_equal(np.flatnonzero(found["membership"][:, 3 + k]), np.flatnonzero(TASK.y_train == k))


@pytest.mark.parametrize("numbers", [1, 100, 18 * 10, 18 * 32, 18 * 62, 18 * 63, 10**9])
def test_slices_bound_the_memory_and_lose_no_sample(numbers, monkeypatch):
    """Six members with layers 3 wide: a sample takes 18 numbers."""
    monkeypatch.setattr(evaluation, "SLICE_NUMBERS", numbers)
    study = study_of()
    data = prepare(study, TASK)
    found = in_slices(data, study)
    slices, length = found["y"].shape
    assert {array.shape[:2] for array in found.values()} == {(slices, length)}
    assert length == 1 or 18 * (length - 1) < numbers
    assert slices * length - 63 < slices
    assert slices == 1 or numbers < 18 * 63
    whole = joined(found)
    np.testing.assert_array_equal(whole["x"][:63], np.concatenate([TASK.x_train, TASK.x_validation, TASK.x_test]))
    assert not whole["membership"][63:].any()
    assert data.counts.tolist() == [41, 9, 13, 14, 14, 13]


@pytest.mark.parametrize(("stride", "numbers"), [(1, 4 * 4 * 5), (2, 2 * 2 * 3 * 3)])
def test_a_convolution_counts_its_outputs_and_with_a_stride_its_patches(monkeypatch, stride, numbers):
    """Of 4 × 4 pixels with five channels; of 2 × 2 with a patch of 3 × 3 each: more than the outputs."""
    images = small_task((20, 4, 6), 2, (4, 4, 1))
    network = [Conv(5, 3, stride=stride), Act(), Flatten(), Dense(1)]
    study = study_of(images, network=network, activations=["relu"], seeds=1)
    monkeypatch.setattr(evaluation, "SLICE_NUMBERS", numbers * 10)
    assert in_slices(prepare(study, images), study, images)["y"].shape == (3, 10)


def test_train_metrics_are_taken_on_a_fixed_part_of_large_data(monkeypatch):
    monkeypatch.setattr(evaluation, "EVALUATION_SAMPLES", 10)
    samples = {tuple(row): label for row, label in zip(TASK.x_train, TASK.y_train, strict=True)}

    def chosen(task_seed):
        study = study_of(task_seed=task_seed)
        data = prepare(study, TASK)
        found = data.evaluation
        assert data.counts[:3].tolist() == [10, 9, 13]
        assert data.counts[3:].sum() == 10
        part = found["membership"][:, 0] == 1
        rows = [tuple(row) for row in found["x"][part]]
        assert [samples[row] for row in rows] == found["y"][part].tolist()
        assert len(set(rows)) == 10
        return rows, data.probe["x"]

    (rows, probe), (again, same_probe), (others, other_probe) = chosen(3), chosen(3), chosen(4)
    assert rows == again
    np.testing.assert_array_equal(probe, same_probe)
    assert rows != others
    assert not np.array_equal(probe, other_probe)
    # The probe batch, of 8 here, is part of what is evaluated.
    assert {tuple(row) for row in probe} <= set(rows)


@pytest.mark.parametrize(("asked", "given"), [(1, 1), (40, 40), (41, 41), (500, 41)])
def test_the_probe_batch_is_no_larger_than_the_data(asked, given):
    study = study_of(probe_samples=asked)
    data = prepare(study, TASK)
    assert data.probe["x"].shape == (given, 2)
    assert len(np.unique(data.probe["x"], axis=0)) == given


@pytest.mark.parametrize("epochs", [1, 8, 9, 10, 39, 40, 1000])
def test_a_run_has_ten_chunks_or_more_where_it_has_the_epochs(epochs):
    study = study_of(epochs=epochs)
    chunk = chunk_length(study, population_of(study, TASK), 41)
    assert 1 <= chunk <= max(1, math.ceil((epochs + 1) / 10))
    # Not needlessly short either: these chunks are far below the bound of their arithmetic.
    assert chunk == math.ceil((epochs + 1) / 10)


def test_a_chunk_is_bounded_by_its_arithmetic(monkeypatch):
    study = study_of(epochs=1000)
    population = population_of(study, TASK)
    assert chunk_length(study, population, 10**9) == 1
    # 2·3 + 3 + 3·3 + 3 parameters, and 3 slopes where there are any; six members; steps of 16 samples; six operations.
    monkeypatch.setattr(batches, "STEP_OPERATIONS", 0)
    steps = math.ceil(41 / study.batch)
    monkeypatch.setattr(batches, "CHUNK_OPERATIONS", 7 * 6 * 21 * 6 * study.batch * steps)
    assert chunk_length(study, population, 41) == 7
    assert chunk_length(study, population, 82) in (3, 4)
    # A step that has next to nothing to do takes its time all the same.
    monkeypatch.setattr(batches, "STEP_OPERATIONS", 10 * 6 * 21 * 6 * study.batch)
    assert chunk_length(study, population, 41) == 1


# The compiled chunk.


def trained(study, kinds, chunk, task=TASK):
    """Run `kinds`, epoch by epoch from 0, in chunks; the parameters and all results that were not skipped."""
    built = compiled(study, task, chunk)
    results = []
    for first in range(0, len(kinds), chunk):
        own = np.full(chunk, SKIP, np.int32)
        own[: len(kinds[first : first + chunk])] = kinds[first : first + chunk]
        order = orders(study, len(task.x_train), built.seeds, range(first, first + chunk))
        results.append(jax.tree.map(np.asarray, built.advance(own, order)))
    by_epoch = [own._replace(items=None, outputs=None) for own in results]
    joined = jax.tree.map(lambda *parts: np.concatenate(parts)[: len(kinds)], *by_epoch)
    return built.parameters(), joined._replace(items=results[-1].items, outputs=results[-1].outputs)


KINDS = [OBSERVE, *[TRAIN] * 6]


@pytest.fixture(scope="module")
def reference():
    return trained(study_of(), KINDS, 4)


def test_chunks_of_one_and_of_four_epochs_give_the_same_bits(reference):
    params, results = trained(study_of(), KINDS, 1)
    for ours, theirs in zip(jax.tree.leaves(params), jax.tree.leaves(reference[0]), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    jax.tree.map(np.testing.assert_array_equal, results, reference[1])
    losses = results.sums["loss"][..., 0]
    assert np.all(losses[-1] != losses[0])


def test_weights_among_the_results_are_those_after_each_epoch(reference):
    params, results = reference
    last = jax.tree.map(lambda leaf: leaf[-1][:, :3], results.weights)
    jax.tree.map(np.testing.assert_array_equal, last, params)
    first = results.weights["dense1"]["weight"]
    assert np.all(first[0] != first[1])


def test_seeds_that_do_not_divide_by_the_devices_train_as_in_other_company(reference):
    built = compiled(study_of(), TASK, 4)
    assert len(built.seeds) % built.compiler.devices.size == 0
    assert built.seeds[:3] == (4, 1, 7)
    assert set(built.seeds[3:]) <= {4}
    assert reference[0]["dense1"]["weight"].shape == (2, 3, 2, 3)
    for seeds, places in (((7,), [2]), ((1, 4), [1, 0]), ((9, 7, 8, 4), [None, 2, None, 0])):
        params, results = trained(study_of(seeds=seeds), KINDS, 4)
        for here, there in enumerate(places):
            if there is None:
                continue
            for ours, theirs in zip(jax.tree.leaves(params), jax.tree.leaves(reference[0]), strict=True):
                np.testing.assert_allclose(ours[:, here], theirs[:, there], rtol=2e-4, atol=1e-5)
            ours, theirs = ((found.sums["loss"], found.probes["activation_mean"]) for found in (results, reference[1]))
            for own, expected in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(own[:, :, here], expected[:, :, there], rtol=1e-4, atol=1e-4)


def test_what_is_skipped_or_observed_leaves_the_state_alone(reference):
    """Epochs 1 to 6 with pauses between them end where those without do, to the bit, Adam's memory included."""
    study = study_of()
    built = compiled(study, TASK, 4)
    epochs = iter(range(1, 7))
    seen = {}
    for kinds in (
        [TRAIN, SKIP, OBSERVE, TRAIN], [SKIP] * 4, [OBSERVE, SKIP, SKIP, OBSERVE], [TRAIN, TRAIN, OBSERVE, SKIP],
        [SKIP, TRAIN, SKIP, TRAIN],
    ):  # fmt: skip
        numbers = [next(epochs) if kind == TRAIN else 900 for kind in kinds]
        order = np.concatenate([orders(study, 41, built.seeds, range(n, n + 1)) for n in numbers])
        before = built.parameters()
        found = jax.tree.map(np.asarray, built.advance(np.array(kinds, np.int32), order))
        assert set(kinds) == {SKIP} or found.items.any()
        found = found._replace(items=None, outputs=None)
        if TRAIN not in kinds:
            jax.tree.map(np.testing.assert_array_equal, built.parameters(), before)
        for row, kind in enumerate(kinds):
            if kind == SKIP:
                assert not any(np.any(leaf[row]) for leaf in jax.tree.leaves(found))
            elif kind == OBSERVE:
                np.testing.assert_array_equal(found.sums["loss"][row], seen["losses"])
            if kind != SKIP:
                seen = {"losses": found.sums["loss"][row]}
    jax.tree.map(np.testing.assert_array_equal, built.parameters(), reference[0])


def test_a_batch_larger_than_the_data_is_a_step_on_all_of_them():
    """Plain SGD: one step along the gradient of the mean loss of all 41 samples, whatever their order."""
    large, exact = (
        trained(study_of(batch=batch, optimiser="sgd", learning_rates=[0.5], activations=["tanh"]), [TRAIN], 1)[0]
        for batch in (64, 41)
    )
    for ours, theirs in zip(jax.tree.leaves(large), jax.tree.leaves(exact), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_large_networks_leave_no_weights_among_the_results(monkeypatch):
    monkeypatch.setattr("actlab.plan.population.SMALL", 20)
    study = study_of(activations=["tanh"], seeds=1)
    built = compiled(study, TASK, 1)
    assert not built.keeps_weights
    assert built.advance(np.array([OBSERVE], np.int32), orders(study, 41, built.seeds, range(1))).weights is None
    assert built.parameters()["dense1"]["weight"].shape == (1, 1, 2, 3)
