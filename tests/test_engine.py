"""The engine against independent training loops in PyTorch, and its promises: pairing, layouts, divergence."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import torch
from tests.engine_support import compiled, in_double

from actlab import engine, tasks
from actlab.engine import program
from actlab.layers import Act, Conv, Dense, Dropout, Flatten, MaxPool
from actlab.plan.batches import orders
from actlab.plan.layout import LARGE, SMALL
from actlab.recipes import recipe
from actlab.study import Study, complete

TORCH_FUNCTIONS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": torch.nn.functional.gelu,
    "elu": torch.nn.functional.elu,
}


def study_of(name, **changes):
    return Study(**(recipe(name).study.model_dump() | changes))


@pytest.fixture(scope="module")
def parabolas():
    return tasks.load("parabolas")


@pytest.fixture(scope="module")
def digits():
    return tasks.load("digits")


def torch_training(study, task, activation, seed, start):
    """The same network trained by PyTorch from the weights `start`, over the same batches."""
    layers = sorted(start)
    params = {name: {k: torch.tensor(v, requires_grad=True) for k, v in own.items()} for name, own in start.items()}
    flat = [tensor for name in layers for tensor in params[name].values()]
    rate = study.learning_rates[0]
    optimiser = {
        "sgd": lambda: torch.optim.SGD(flat, rate, momentum=getattr(study.optimiser, "momentum", 0)),
        "adam": lambda: torch.optim.Adam(flat, rate, betas=(0.9, 0.999), eps=1e-8),
        "adamw": lambda: torch.optim.AdamW(flat, rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01),
    }[study.optimiser.name]()
    x, y = torch.from_numpy(task.x_train).flatten(1), torch.from_numpy(task.y_train).long()
    order = orders(study, len(x), (seed,), range(1, study.epochs + 1))[..., 0]
    for batch in order.reshape(-1, study.batch):
        chosen = torch.from_numpy(batch[batch >= 0].astype(np.int64))
        h = x[chosen]
        for name in layers:
            h = h @ params[name]["weight"] + params[name]["bias"]
            if name != layers[-1]:
                h = TORCH_FUNCTIONS[activation](h)
        if h.shape[1] == 1:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(h[:, 0], y[chosen].to(h.dtype))
        else:
            loss = torch.nn.functional.cross_entropy(h, y[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return {name: {k: v.detach().numpy() for k, v in own.items()} for name, own in params.items()}


def relative_difference(ours, theirs):
    """Distance of two networks' parameters, each taken as one vector, relative to its length."""
    pairs = [(ours[name][key], theirs[name][key]) for name in theirs for key in theirs[name]]
    apart = np.concatenate([(one - other).ravel() for one, other in pairs])
    return np.linalg.norm(apart) / np.linalg.norm(np.concatenate([other.ravel() for _, other in pairs]))


CASES = [
    ("parabolas", "sgd", 10),
    ("parabolas", "adam", 10),
    ("parabolas", {"name": "sgd", "momentum": 0.9}, 4),
    ("digits", "sgd", 5),
    # Adam divides by the size of the gradient: where that is all rounding, as behind a ReLU that hardly fires, it
    # magnifies the last bits. Whole trainings are compared in float64 below.
    ("digits", "adam", 1),
    ("digits", "adamw", 1),
]


@pytest.mark.parametrize(("name", "optimiser", "epochs"), CASES, ids=[f"{n}-{o}" for n, o, _ in CASES])
def test_a_member_equals_an_independent_torch_loop(name, optimiser, epochs, request, tmp_path):
    task = request.getfixturevalue(name)
    rate = 0.05 if optimiser == "sgd" else 0.003
    study = study_of(name, optimiser=optimiser, epochs=epochs, seeds=[0, 5, 9], learning_rates=[rate],
                     activations=["tanh", "sigmoid", "relu"])  # fmt: skip
    recording = engine.train(study, tmp_path / "run", task=task)
    for member in [recording.members[i] for i in (1, 5, 6)]:
        start = recording.weights(member, 0)
        reference = torch_training(recording.study, task, member.activation, member.seed, start)
        assert relative_difference(recording.weights(member, epochs), reference) < 1e-5
        assert relative_difference(start, reference) > 1e-3


@pytest.mark.parametrize(("name", "optimiser"), [("parabolas", "sgd"), ("digits", "adam")])
def test_a_whole_training_in_float64_equals_torch(name, optimiser, request, tmp_path):
    """As many epochs as in the recipe; PyTorch takes most of the time, a step of a small network after the other."""
    task = request.getfixturevalue(name)
    double = in_double(task)
    epochs = 150 if name == "parabolas" else 10
    study = study_of(name, optimiser=optimiser, epochs=epochs, seeds=[3], activations=["gelu", "elu"])
    with jax.enable_x64(True):
        recording = engine.train(study, tmp_path / "run", task=double)
    for member in recording.members:
        start = recording.weights(member, 0)
        reference = torch_training(recording.study, double, member.activation, 3, start)
        assert relative_difference(recording.weights(member, epochs), reference) < 1e-9


def test_the_same_study_gives_the_same_bytes(parabolas, tmp_path):
    study = study_of("parabolas", epochs=6, seeds=5)
    one = engine.train(study, tmp_path / "one", task=parabolas)
    two = engine.train(study, tmp_path / "two", task=parabolas)
    assert [segment.sha256 for segment in one.segments] == [segment.sha256 for segment in two.segments]
    for name in one.metrics:
        assert one.metrics[name].tobytes() == two.metrics[name].tobytes()


def test_members_of_a_seed_start_equal_and_see_the_same_batches(parabolas, tmp_path):
    recording = engine.train(study_of("parabolas", epochs=1, seeds=4), tmp_path / "run", task=parabolas)
    by_seed: dict[int, list] = {}
    for member in recording.members:
        by_seed.setdefault(member.seed, []).append(recording.weights(member, 0)["dense1"]["weight"])
    for weights in by_seed.values():
        assert all(np.array_equal(weights[0], other) for other in weights[1:])
    assert len({weights[0].tobytes() for weights in by_seed.values()}) == 4


def test_the_company_of_other_members_changes_nothing_but_rounding(digits, tmp_path):
    alone = engine.train(study_of("digits", epochs=2, seeds=[7], activations=["gelu"]), tmp_path / "a", task=digits)
    many = engine.train(
        study_of("digits", epochs=2, seeds=[3, 7, 8], activations=["relu", "gelu"]), tmp_path / "b", task=digits
    )
    same = next(m for m in many.members if m.activation == "gelu" and m.seed == 7)
    ours, theirs = alone.weights(alone.members[0], 2), many.weights(same, 2)
    assert relative_difference(ours, theirs) < 1e-5


def trained_weights(study, task, layouts=None):
    study = complete(study, task)
    built = compiled(study, task, study.epochs, layouts)
    order = orders(study, len(task.x_train), built.seeds, range(1, study.epochs + 1))
    found = built.advance(np.full(study.epochs, program.TRAIN, np.int32), order)
    return built.parameters(), jax.tree.map(np.asarray, found)


@pytest.mark.parametrize("activations", [["tanh", "relu"], ["prelu", "softmax", "gelu"], ["maxout"]], ids=str)
def test_both_layouts_train_the_same(activations, parabolas):
    study = study_of(
        "parabolas", epochs=2, seeds=3, activations=activations, optimiser="adam", batch=48,
        learning_rates=[0.01, 0.02], network=[Dense(4), Act(), Dropout(0.25), Dense(4), Act("silu"), Dense(1)],
    )  # fmt: skip
    (lanes, seen_lanes), (stacked, seen_stacked) = (
        trained_weights(study, parabolas, layouts) for layouts in (SMALL, LARGE)
    )
    for ours, theirs in zip(jax.tree.leaves(lanes), jax.tree.leaves(stacked), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-4, atol=2e-6)
    np.testing.assert_allclose(seen_lanes.sums["loss"], seen_stacked.sums["loss"], rtol=1e-3, atol=1e-4)
    for name in ("weight_gradient_norm", "flat_share"):
        np.testing.assert_allclose(seen_lanes.probes[name], seen_stacked.probes[name], rtol=1e-3, atol=1e-4)


def test_dropout_is_the_same_for_every_activation_and_changes_training(digits):
    def weights(*layers):
        network = [Flatten(), Dense(16), Act(), *layers, Dense(10)]
        return trained_weights(
            study_of("digits", epochs=1, seeds=2, activations=["relu", "leaky_relu"], network=network),
            digits,
            LARGE,
        )[0]

    with_dropout = weights(Dropout(0.5))["dense2"]["weight"]
    again = weights(Dropout(0.5))["dense2"]["weight"]
    np.testing.assert_array_equal(with_dropout, again)
    assert not np.allclose(with_dropout, weights()["dense2"]["weight"])


def test_convolutions_train(digits, tmp_path):
    network = [Conv(4, 3), Act(), MaxPool(2), Conv(8, 3, padding="valid", stride=1), Act("tanh"), Flatten(), Dense(10)]
    study = study_of("digits", network=network, epochs=3, seeds=2, activations=["relu", "prelu"], learning_rates=[0.01])
    recording = engine.train(study, tmp_path / "run", task=digits)
    assert recording.facts["layout"] == {"relu": "stacked", "prelu": "stacked"}
    assert np.all(recording.metrics["test_accuracy"][-1] > 0.8)
    member = recording.members[3]
    logits = recording.network("prelu").apply(recording.weights(member, 3), digits.x_test)
    assert np.mean(logits.argmax(-1) == digits.y_test) == pytest.approx(recording.metrics["test_accuracy"][-1, 3])


@pytest.mark.parametrize("match", ["units", "parameters"])
def test_maxout_forms_a_population_of_its_own(match, parabolas, tmp_path):
    network = [Dense(12), Act(), Dense(1)]
    study = study_of(
        "parabolas", network=network, activations=["maxout", "relu", "prelu"], seeds=2, epochs=2, match=match
    )
    recording = engine.train(study, tmp_path / "run", task=parabolas)
    assert [m.activation for m in recording.members] == ["maxout"] * 2 + ["relu"] * 2 + ["prelu"] * 2
    counts = recording.facts["parameters"]
    if match == "units":
        assert counts["maxout"] > counts["relu"]
    else:
        assert abs(counts["maxout"] - counts["relu"]) <= 2
    slopes = [recording.weights(m, 2)["act1"]["negative_slope"] for m in recording.members[4:]]
    assert all(np.any(slope != np.float32(0.25)) for slope in slopes)
    share = recording.probes["flat_share"][-1, :, 0]
    assert np.isnan(share[:2]).all()
    assert np.isfinite(share[2:]).all()


def test_learning_rates_are_members_of_their_own(parabolas, tmp_path):
    study = study_of("parabolas", learning_rates=[0.05, 0.2], seeds=2, epochs=2, activations=["tanh"])
    recording = engine.train(study, tmp_path / "run", task=parabolas)
    assert [(member.learning_rate, member.seed) for member in recording.members] == [
        (0.05, 0), (0.05, 1), (0.2, 0), (0.2, 1),
    ]  # fmt: skip
    alone = engine.train(
        study_of("parabolas", learning_rates=[0.2], seeds=2, epochs=2, activations=["tanh"]),
        tmp_path / "alone",
        task=parabolas,
    )
    fast = next(m for m in recording.members if m.learning_rate == 0.2 and m.seed == 1)
    assert relative_difference(recording.weights(fast, 2), alone.weights(alone.members[1], 2)) < 1e-5


def test_a_diverged_member_is_kept_masked_and_explained(parabolas, tmp_path):
    study = study_of("parabolas", learning_rates=[1e38, 0.05], seeds=3, epochs=3, activations=["linear", "relu"])
    recording = engine.train(study, tmp_path / "run", task=parabolas)
    wild = [m for m in recording.members if m.learning_rate == 1e38]
    calm = [m.id for m in recording.members if m.learning_rate == 0.05]
    gone = [m for m in wild if m.diverged_epoch is not None]
    assert gone, "a learning rate of 1e38 must blow up"
    for member in gone:
        assert "loss became" in member.diverged_reason
        for values in recording.metrics.values():
            assert np.isnan(values[member.diverged_epoch :, member.id]).all()
            assert np.isfinite(values[: member.diverged_epoch, member.id]).all()
    assert np.isfinite(recording.metrics["train_loss"][:, calm]).all()
    assert all(recording.members[i].diverged_epoch is None for i in calm)


def test_hyper_parameters_are_traced_not_baked_in(parabolas):
    import logging

    def build(rate, momentum):
        optimiser = {"name": "sgd", "momentum": momentum}
        study = study_of("parabolas", learning_rates=[rate], optimiser=optimiser, seeds=2, epochs=1)
        return compiled(complete(study, parabolas), parabolas, 1)

    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    build(0.05, 0.9)
    logger = logging.getLogger("jax._src.compiler")
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        build(0.031, 0.83)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert any("cache hit for 'jit__chunk" in message for message in records)
    assert not any("MISS for 'jit__chunk" in message for message in records)


def test_progress_tells_of_every_chunk(parabolas, tmp_path):
    seen = []
    engine.train(study_of("parabolas", seeds=2, epochs=20), tmp_path / "run", task=parabolas, progress=seen.append)
    epochs = [progress.epoch for progress in seen]
    assert epochs[0] == 0
    assert epochs[-1] == 20
    assert epochs == sorted(epochs)
    assert seen[-1].samples == 20 * 2000 * 6
