"""Numbers as targets, against PyTorch, scikit-learn and SciPy: losses, training, metrics, constant answers."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.dummy import DummyRegressor
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from tests.engine_support import in_double

from actlab import engine, report
from actlab.errors import InvalidNetwork, InvalidStudy, UnknownName
from actlab.layers import Act, Dense, Dropout
from actlab.objectives import PARTS, Spread, objective_named, regression, usual_lead
from actlab.plan.batches import orders
from actlab.recording import load
from actlab.statistics import summarise
from actlab.statistics.baselines import baselines_of
from actlab.statistics.selection import reported
from actlab.statistics.summary import target_of
from actlab.study import Milestone, Study, complete
from actlab.tasks.task import build_numbers, validated_on_test
from actlab.views.palette import styles_of
from actlab.views.report.outcome import curves

TORCH = {
    "squared": torch.nn.functional.mse_loss,
    "absolute": torch.nn.functional.l1_loss,
    "huber": torch.nn.functional.huber_loss,
}


def made_up(targets=1, counts=(90, 30, 40), seed=0):
    """A task of three inputs; its targets have units far from one another."""
    rng = np.random.default_rng(seed)
    parts = []
    for count in counts:
        x = rng.normal(size=(count, 3))
        y = np.stack([np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2], x[:, 0] ** 2], axis=1) * [50, 3e-3] + [200, -1e-3]
        parts.append((x, (y + rng.normal(scale=[5, 1e-4], size=y.shape))[:, :targets]))
    return build_numbers("made up", *parts, provenance="made up")


def study_of(targets=1, **changes):
    settings = {"network": [Dense(8), Act(), Dense(6), Act(), Dense(targets)], "activations": ["tanh", "relu"],
                "seeds": 2, "epochs": 4, "batch": 16, "learning_rates": [0.01], "probe_samples": 16}  # fmt: skip
    return Study(**(settings | changes))


@pytest.mark.parametrize("loss", list(TORCH))
@pytest.mark.parametrize("targets", [1, 3])
def test_losses_and_their_slopes_are_those_of_torch(loss, targets):
    rng = np.random.default_rng(1)
    outputs, y = rng.normal(scale=2, size=(2, 50, targets))
    own = torch.tensor(outputs, requires_grad=True)
    wanted = TORCH[loss](own, torch.tensor(y), reduction="none").mean(dim=1)
    wanted.sum().backward()
    objective = regression(loss, targets)
    np.testing.assert_allclose(objective.loss(outputs, y, np, 1), wanted.detach(), rtol=1e-14)
    import jax
    import jax.numpy as jnp

    with jax.enable_x64(True):
        slope = jax.grad(lambda z: objective.loss(z, jnp.asarray(y), jnp, 1).sum())(jnp.asarray(outputs))
    np.testing.assert_allclose(slope, own.grad, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("targets", [1, 3])
def test_metrics_are_those_of_scikit_learn(targets):
    rng = np.random.default_rng(2)
    scales, means = rng.uniform(0.01, 500, targets), rng.normal(scale=100, size=targets)
    outputs, y = rng.normal(size=(2, 40, targets))
    ours, theirs = y * scales + means, outputs * scales + means
    spread = Spread(scales, np.stack([y.var(axis=0)] * 3))
    found = {}
    for metric in regression("squared", targets).metrics:
        score = metric.score(outputs, y, np, 1).mean(axis=0)
        found[metric.name] = metric.finish(score, spread, 2) if metric.finish else score
    assert found["r2"] == pytest.approx(r2_score(ours, theirs), rel=1e-12, abs=1e-12)
    if targets == 1:
        assert found["rmse"] == pytest.approx(root_mean_squared_error(ours, theirs), rel=1e-12)
        assert found["mae"] == pytest.approx(mean_absolute_error(ours, theirs), rel=1e-12)
    else:
        assert found["rmse"] == pytest.approx(np.sqrt(np.mean((outputs - y) ** 2)), rel=1e-12)
        assert found["mae"] == pytest.approx(mean_absolute_error(y, outputs), rel=1e-12)


def by_torch(recording, task, activation, seed, loss):
    """Predictions for every part after every epoch, of a loop in PyTorch that starts from the recorded weights."""
    study = recording.study
    member = next(m for m in recording.members if (m.activation, m.seed) == (activation, seed))
    start = recording.weights(member, 0)
    dtype = torch.float64
    tensors = [
        torch.tensor(np.asarray(start[name][kind]), dtype=dtype, requires_grad=True)
        for name in recording.weight_layers
        for kind in ("weight", "bias")
    ]
    x, y = (torch.tensor(np.asarray(getattr(task, f"{name}_train")), dtype=dtype) for name in "xy")
    function = {"tanh": torch.tanh, "relu": torch.relu}[activation]

    def forward(x):
        for place in range(0, len(tensors) - 2, 2):
            x = function(x @ tensors[place] + tensors[place + 1])
        return x @ tensors[-2] + tensors[-1]

    trainer = torch.optim.Adam(tensors, study.learning_rates[0], (0.9, 0.999), study.optimiser.epsilon)
    found = []
    batches = orders(study, len(x), study.seeds, range(1, study.epochs + 1))
    for epoch in range(study.epochs + 1):
        if epoch:
            for order in batches[epoch - 1, :, :, study.seeds.index(seed)]:
                chosen = order[order >= 0]
                trainer.zero_grad()
                TORCH[loss](forward(x[chosen]), y[chosen]).backward()
                trainer.step()
        with torch.no_grad():
            found.append([forward(torch.tensor(getattr(task, f"x_{part}"), dtype=dtype)).numpy() for part in PARTS])
    return found


@pytest.mark.parametrize("loss", list(TORCH))
@pytest.mark.parametrize("targets", [1, 2])
def test_training_is_that_of_a_loop_in_torch(tmp_path, loss, targets):
    task = made_up(targets)
    recording = engine.train(study_of(targets, loss=loss), tmp_path / "run", task=task)
    for column, member in enumerate(recording.members):
        for epoch, predicted in enumerate(by_torch(recording, task, member.activation, member.seed, loss)):
            for part, outputs in zip(PARTS, predicted, strict=True):
                ours = {
                    name: recording.metrics[f"{part}_{name}"][epoch, column] for name in ("loss", "rmse", "mae", "r2")
                }
                y = getattr(task, f"y_{part}").astype(float)
                wanted = float(TORCH[loss](torch.tensor(outputs), torch.tensor(y)))
                assert ours["loss"] == pytest.approx(wanted, rel=1e-5)
                assert ours["r2"] == pytest.approx(r2_score(y, outputs), rel=1e-5, abs=1e-5)
                scale = task.targets.scales[0] if targets == 1 else 1.0
                assert ours["rmse"] == pytest.approx(scale * np.sqrt(np.mean((outputs - y) ** 2)), rel=1e-5)
                assert ours["mae"] == pytest.approx(scale * mean_absolute_error(y, outputs), rel=1e-5)
                if part == "test":
                    own = root_mean_squared_error(y, outputs, multioutput="raw_values") * task.targets.scales
                    np.testing.assert_allclose(recording.probes["target_rmse"][epoch, column], own, rtol=1e-5)


def test_layouts_agree(tmp_path):
    """In lanes and stacked, with a batch that does not fill up, dropout apart: the same numbers in double precision."""
    import jax
    from tests.engine_support import compiled

    from actlab.engine.program import TRAIN

    task = in_double(made_up(2))
    task = type(task)(**{**vars(task), **{f"y_{part}": getattr(task, f"y_{part}").astype(float) for part in PARTS}})
    study = complete(study_of(2, batch=32), task)
    found = []
    with jax.enable_x64(True):
        for layouts in (("lanes", "stacked"), ("stacked", "stacked")):
            program = compiled(study, task, 1, layouts)
            order = orders(study, len(task.x_train), program.seeds, range(1, 2))
            found.append(program.advance(np.array([TRAIN], np.int32), order))
    for name in found[0].sums:
        np.testing.assert_allclose(found[0].sums[name], found[1].sums[name], rtol=1e-11)


def test_the_same_study_twice_gives_the_same_bytes(tmp_path):
    digests = []
    for place in ("a", "b"):
        recording = engine.train(study_of(), tmp_path / place, task=made_up())
        files = sorted((recording.directory / "segments").iterdir())
        digests.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
        digests[-1].append(hashlib.sha256(str(recording.metrics).encode()).hexdigest())
    assert digests[0] == digests[1]


@pytest.mark.parametrize(("loss", "strategy"), [("squared", "mean"), ("absolute", "median"), ("huber", None)])
def test_the_constant_answer_is_the_best_one(tmp_path, loss, strategy):
    task = made_up(2)
    constant = engine.train(study_of(2, loss=loss, epochs=1), tmp_path / "run", task=task).facts["constant"]
    raw = {part: task.numbers(part) for part in PARTS}
    if strategy:
        wanted = DummyRegressor(strategy=strategy).fit(task.x_train, raw["train"]).predict(task.x_train[:1])[0]
    else:
        score = regression("huber", 1).loss
        best = [minimize_scalar(lambda c, y=y: score(np.full((len(y), 1), c), y[:, None], np, 1).sum()).x
                for y in task.y_train.T.astype(float)]  # fmt: skip
        wanted = np.array(best) * task.targets.scales + task.targets.means
    np.testing.assert_allclose(constant["answer"], wanted, rtol=1e-6)
    answered = np.tile(wanted, (len(task.y_test), 1))
    assert constant["test_r2"] == pytest.approx(r2_score(raw["test"], answered), rel=1e-6, abs=1e-6)


def test_what_a_recording_says_of_numbers(tmp_path):
    task = made_up()
    recording = engine.train(study_of(seeds=8, epochs=30), tmp_path / "run", task=task)
    summary = summarise(recording)
    assert recording.objective.name == recording.study.loss == "squared"
    assert (recording.facts["classes"], recording.facts["targets"]) == ([], ["y"])
    assert (summary["lead"]["name"], summary["chance"], summary["majority"]) == ("rmse", None, None)
    assert summary["constant"]["test_rmse"] > summary["activations"][0]["test_rmse"]["mean"]
    assert {"test_loss", "test_rmse", "test_mae", "test_r2"} <= summary["activations"][0].keys()
    means = [row["test_rmse"]["mean"] for row in summary["activations"]]
    assert means == sorted(means)
    assert "test RMSE" in summary["headline"]


def test_networks_that_learn_nothing_are_not_called_best(tmp_path):
    task = made_up()
    recording = engine.train(study_of(seeds=8, epochs=2, learning_rates=[1e-9]), tmp_path / "run", task=task)
    summary = summarise(recording)
    assert summary["headline"].startswith("No better than a constant: ")
    assert "of always answering" in summary["headline"]
    codes = {(found["code"], found["activation"]) for found in summary["findings"]}
    assert {("learns_nothing", "tanh"), ("learns_nothing", "relu")} & codes
    assert "accuracy" not in str(summary["findings"]) + summary["headline"]


def test_a_diverged_network_is_masked(tmp_path):
    recording = engine.train(
        study_of(optimiser="sgd", learning_rates=[1e4], activations=["relu"]), tmp_path / "run", task=made_up()
    )
    assert all(member.diverged_epoch is not None for member in recording.members)
    assert np.isnan(recording.metrics["test_rmse"][-1]).all()
    assert "diverged" in summarise(recording)["headline"]


def test_what_does_not_fit_numbers_is_refused():
    task = made_up(2)
    with pytest.raises(InvalidNetwork, match=r"2 numbers to predict: end it with Dense\(2\)"):
        complete(study_of(1), task)
    with pytest.raises(InvalidStudy, match="waits for an accuracy"):
        complete(study_of(2, milestones=[Milestone(name="all right")]), task)
    from actlab.tasks import load

    with pytest.raises(InvalidStudy, match="loss 'huber' is of numbers as targets, and task 'moons' has classes"):
        complete(Study(task="moons", loss="huber"), load("moons"))
    with pytest.raises(InvalidStudy, match="loss"):
        Study(loss="cubic")


def test_the_usual_network_has_an_output_for_each_number():
    assert complete(Study(task="x"), made_up(2)).network[-1] == Dense(2)


def test_validation_on_the_test_data_keeps_the_numbers():
    task = made_up()
    joined = validated_on_test(task)
    assert len(joined.x_train) == len(task.x_train) + len(task.x_validation)
    np.testing.assert_allclose(joined.numbers("test"), task.numbers("test"), rtol=1e-6)
    assert joined.targets.means[0] == pytest.approx(
        np.concatenate([task.numbers(p) for p in PARTS[:2]]).mean(), rel=1e-6
    )


def test_dropout_and_penalties_go_with_numbers(tmp_path):
    network = [Dense(8, l2=0.01), Act(), Dropout(0.2), Dense(1)]
    recording = engine.train(study_of(network=network), tmp_path / "run", task=made_up())
    assert np.isfinite(recording.metrics["test_rmse"]).all()
    assert (recording.probes["penalty"] > 0).all()


def test_an_objective_is_found_by_its_name():
    for name, outputs in (("binary", 1), ("classes", 3), ("huber", 2)):
        assert objective_named(name, outputs).name == name
    assert usual_lead([metric.to_dict() for metric in regression("absolute", 1).metrics]) == "rmse"
    assert not regression("squared", 1).decides


def test_a_milestone_of_an_error_is_the_first_epoch_below_it(tmp_path):
    milestones = [Milestone(name="near", metric="rmse", value=30.0), Milestone(name="never", metric="r2", value=1.0)]
    recording = engine.train(study_of(epochs=20, milestones=milestones), tmp_path / "run", task=made_up())
    summary = summarise(recording)
    for row in summary["activations"]:
        columns = [c for c, member in enumerate(recording.members) if member.activation == row["name"]]
        below = recording.metrics["train_rmse"][:, columns] <= 30.0
        wanted = np.median([np.argmax(own) if own.any() else np.inf for own in below.T])
        assert row["milestones"][0]["median"] == (wanted if np.isfinite(wanted) else None)
        assert row["milestones"][1]["reached"] == 0


@pytest.mark.parametrize("wrong", [{"metric": "rmse"}, {"value": 1.0}, {"metric": "rmse", "value": 1.0, "label": 0}])
def test_a_milestone_is_of_one_kind(wrong):
    with pytest.raises(ValueError, match="metric"):
        Milestone(name="wrong", **wrong)


def test_a_milestone_of_an_unknown_metric_is_refused():
    with pytest.raises(UnknownName, match="unknown metric 'rms': did you mean 'rmse'"):
        complete(study_of(milestones=[Milestone(name="near", metric="rms", value=1.0)]), made_up())


def test_a_part_whose_targets_do_not_vary_has_no_r2_and_a_report_all_the_same(tmp_path):
    rng = np.random.default_rng(8)
    parts = [(rng.normal(size=(30, 3)), rng.normal(size=30)), (rng.normal(size=(9, 3)), np.full(9, 0.5))]
    task = build_numbers("flat", parts[0], parts[1], parts[1], provenance="made up")
    recording = engine.train(study_of(epochs=2), tmp_path / "run", task=task)
    assert recording.facts["constant"]["test_r2"] is None
    assert np.isnan(recording.metrics["test_r2"]).all()
    report(load(tmp_path / "run"), tmp_path / "page.html")
    assert "RMSE" in summarise(recording)["headline"]


def test_the_line_of_the_constant_answer_is_that_of_its_part(tmp_path):
    rng = np.random.default_rng(9)
    parts = [(rng.normal(size=(40, 3)), scale * rng.normal(size=40)) for scale in (1e-6, 2e-6, 4e-6)]
    recording = engine.train(study_of(epochs=2), tmp_path / "run", task=build_numbers("three", *parts, provenance=""))
    summary = summarise(recording)
    styles = styles_of(recording.study.activations)
    members = {name: [c for c, m in enumerate(recording.members) if m.activation == name] for name in styles}
    charts = {chart.name: chart.layout for chart in curves(recording, members, styles, summary)}
    for part in ("validation", "train"):
        (line,) = charts[f"{part}-rmse"]["shapes"]
        assert line["y0"] == pytest.approx(recording.facts["constant"][f"{part}_rmse"], rel=1e-5)
        (name,) = charts[f"{part}-rmse"]["annotations"]
        log = charts[f"{part}-rmse"]["yaxis"].get("type") == "log"
        assert name["y"] == pytest.approx(np.log10(line["y0"]) if log else line["y0"])


def test_a_negative_r2_sets_no_target(tmp_path):
    task = made_up()
    recording = engine.train(study_of(epochs=1, learning_rates=[1e-9], metric="r2"), tmp_path / "run", task=task)
    recording.metrics["validation_r2"][:] = -2.0
    recording.facts["constant"]["validation_r2"] = -5.0
    assert target_of(recording, reported(recording), baselines_of(recording)) is None
