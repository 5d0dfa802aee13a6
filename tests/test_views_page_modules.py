"""The page's modules that know no DOM, run in Node: networks, geometry, statistics, tables, the address."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from scipy.special import expit, log_softmax
from tests.javascript import run
from tests.views_recording import record_all

from actlab.layers import Act, Dense, Dropout, Flatten, Scale
from actlab.network import build
from actlab.replay.feature_space import feature_space
from actlab.replay.forward import hidden
from actlab.statistics import reported
from actlab.views.palette import styles_of
from actlab.views.report import page_data, player
from actlab.views.report.scripts import bundle, table

NETWORKS = {
    "parabolas": ([Dense(2), Act(), Dense(1)], (2,), "tanh"),
    "deep": ([Dense(5), Act(), Dense(4, bias=False), Act("sigmoid"), Dropout(0.5), Dense(3)], (2,), "gelu"),
    "images": ([Scale(2.5), Flatten(), Dense(6), Act(), Dense(2)], (2, 2, 1), "mish"),
    "slopes by unit": ([Dense(3), Act(), Dense(1)], (2,), "prelu"),
    "slopes by layer": ([Dense(3), Act(per_unit=False), Dense(1)], (2,), "prelu"),
    "maxout": ([Dense(2), Act(), Dense(2)], (2,), "maxout"),
    "softmax inside": ([Dense(4), Act(), Dense(2)], (2,), "softmax"),
}

FORWARD = """
import { between, network } from "./network.js";
const computed = network(given.layers, FUNCTIONS, 200);
computed.run(Float32Array.from(given.weights), Float32Array.from(given.x), given.count);
found = computed.outputs.map((values, i) => [...values.subarray(0, given.count * given.layers[i].units)]);
"""


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_those_of_python(tmp_path, name):
    layers, shape, activation = NETWORKS[name]
    network = build(layers, shape, activation)
    rng = np.random.default_rng(1)
    params = {
        built.name: {key: rng.normal(size=size).astype(np.float32) for key, size in built.parameter_shapes.items()}
        for built in network.layers
        if built.parameter_shapes
    }
    x = rng.normal(size=(17, *shape)).astype(np.float32)
    described = page_data.layers(network)
    given = {
        "layers": described,
        "weights": page_data.parameters(network, params, leading=0).tolist(),
        "x": x.ravel().tolist(),
        "count": len(x),
    }
    functions = table("FUNCTIONS", page_data.functions([network]))
    found = run(tmp_path, FORWARD.replace("const computed", f"{functions}\nconst computed", 1), given)
    double = {layer: {key: values.astype(float) for key, values in own.items()} for layer, own in params.items()}
    seen = {}

    def act(z, *, name):
        built = next(built for built in network.layers if built.name == name)
        seen[name] = built.layer.activation(network.activation)(z, **double.get(name, {}))
        return seen[name]

    logits = network.apply(double, x.astype(float), act)
    np.testing.assert_allclose(np.reshape(found[-1], logits.shape), logits, rtol=1e-9, atol=1e-12)
    for layer, values in zip(described, found, strict=True):
        if layer["kind"] == "act":
            np.testing.assert_allclose(np.reshape(values, seen[layer["name"]].shape), seen[layer["name"]], rtol=1e-9)


JUDGE = """
import { judge, outcome } from "./network.js";
const held = outcome(given.labels.length);
const logits = Float64Array.from(given.logits);
const means = judge(logits, given.labels, given.classes, given.labels.length, held, OBJECTIVES[given.classes]);
found = { ...means, probability: [...held.probability], losses: [...held.loss], right: [...held.right] };
"""


@pytest.mark.parametrize("classes", [1, 4])
def test_probabilities_and_losses_are_those_of_scipy(tmp_path, classes):
    rng = np.random.default_rng(classes)
    logits = np.concatenate([rng.normal(0, 4, (30, classes)), np.full((1, classes), 80.0), -800 * np.eye(1, classes)])
    labels = rng.integers(0, max(classes, 2), len(logits))
    given = {"logits": logits.ravel().tolist(), "labels": labels.tolist(), "classes": classes}
    objectives = table("OBJECTIVES", page_data.objectives([classes]))
    found = run(tmp_path, JUDGE.replace("const held", f"{objectives}\nconst held"), given)
    if classes == 1:
        expected = expit(logits[:, 0])
        losses = -log_softmax(np.hstack([np.zeros_like(logits), logits]), axis=1)[np.arange(len(labels)), labels]
        right = (logits[:, 0] > 0) == labels
    else:
        losses = -log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
        expected, right = np.exp(-losses), logits.argmax(axis=1) == labels
    np.testing.assert_allclose(found["probability"], expected, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(found["losses"], losses, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(found["right"], right)
    assert found["accuracy"] == pytest.approx(right.mean())
    assert found["loss"] == pytest.approx(losses.mean())


def test_weights_between_epochs_lie_on_a_line(tmp_path):
    script = (
        'import { between } from "./network.js";\nfound = [...between(given.a, given.b, 0.25, new Float64Array(2))];'
    )
    assert run(tmp_path, script, {"a": [1, -2], "b": [3, 2]}) == [1.5, -1.0]


def test_the_zero_line_of_a_circle(tmp_path):
    script = """
    import { gridPoints, zeroLine } from "./geometry.js";
    const points = gridPoints([[-2, 2], [-1, 3]], 41, 31);
    const value = (i) => Math.hypot(points[2 * i], points[2 * i + 1] - 1) - 1.31;
    found = [];
    zeroLine(value, 41, 31, (...ends) => found.push(ends));
    """.replace("    ", "")
    ends = np.array(run(tmp_path, script)).reshape(-1, 2)
    x, y = -2 + ends[:, 0] / 40 * 4, -1 + ends[:, 1] / 30 * 4
    np.testing.assert_allclose(np.hypot(x, y - 1), 1.31, atol=0.004)
    _, counts = np.unique(ends.round(9), axis=0, return_counts=True)
    assert set(counts) == {2}, "the circle is not closed"


def test_coordinate_lines_cover_the_box(tmp_path):
    script = 'import { coordinateLines } from "./geometry.js";\nfound = [...coordinateLines([[0, 4], [10, 12]], 3, 2)];'
    lines = np.array(run(tmp_path, script)).reshape(2, 3, 3, 2)
    np.testing.assert_array_equal(lines[0, 1], [[2, 10], [2, 11], [2, 12]])
    np.testing.assert_array_equal(lines[1, 2], [[0, 12], [2, 12], [4, 12]])


def test_quartiles_are_those_of_numpy(tmp_path):
    values = np.random.default_rng(0).normal(size=23).tolist()
    script = 'import { quartiles } from "./arrays.js";\nfound = quartiles([...given, NaN, Infinity]);'
    np.testing.assert_allclose(run(tmp_path, script, values), np.percentile(values, [25, 50, 75]))


def test_numbers_arrive_as_they_were_packed(tmp_path):
    values = np.random.default_rng(0).normal(size=7).astype(np.float32)
    script = """
    import { counts, floats, octets } from "./arrays.js";
    found = [[...floats(given[0])], [...counts(given[1])], [...octets(given[2])]];
    """.replace("    ", "")
    texts = [page_data.packed(values), page_data.packed([0, 65535], "<u2"), page_data.packed([1, 255], "u1")]
    found = run(tmp_path, script, texts)
    np.testing.assert_array_equal(np.float32(found[0]), values)
    assert found[1:] == [[0, 65535], [1, 255]]


def test_csv_is_read_back(tmp_path):
    rows = [["name", "x"], ['a "quoted", thing', 1.5], ["two\nlines", None]]
    text = run(tmp_path, 'import { csv } from "./saving.js";\nfound = csv(given);', rows)
    assert list(csv.reader(io.StringIO(text))) == [["name", "x"], ['a "quoted", thing', "1.5"], ["two\nlines", ""]]


def test_tables_sort_by_number_then_text_and_dashes_last(tmp_path):
    script = """
    import { compared, sortKey } from "./tables.js";
    found = given.map(sortKey).sort(compared);
    """.replace("    ", "")
    cells = ["tanh", "−0.5 points", "–", "1,200", "12.3 %95.0 to 97.1", "< 0.5 %", "relu", "3e-5"]
    assert run(tmp_path, script, cells) == [-0.5, 3e-5, 0.5, 12.3, 1200, "relu", "tanh", "–"]


AXES = """
import { beyond, sharedAxes } from "./axes.js";
found = sharedAxes(given);
"""


def extent(low, high, largest=1.0, lost=False, lowest=0.5, loss=(0.1, 1.0)):
    return {"box": [[low, high], [low, high]], "largest": largest, "lost": lost, "lowest": lowest, "loss": list(loss)}


def test_shared_axes_hold_every_row(tmp_path):
    rows = [extent(0, 1, 1), extent(-1, 1, 2, lowest=0.3), extent(-0.5, 9, 9, loss=(0.02, 0.7))]
    found = run(tmp_path, AXES, rows)
    assert found == {"box": [[-1, 9], [-1, 9]], "largest": 9, "lowest": 0.3, "loss": [0.02, 1]}


def test_shared_axes_are_not_stretched_by_what_diverged_or_lies_far_beyond(tmp_path):
    steady = [extent(0, 1, 1), extent(-1, 1, 1)]
    lost = extent(-1e30, 1e30, 1e30, lost=True, lowest=0.0, loss=(0.1, 90.0))
    far = extent(-25, 2, 25, lowest=0.4)
    found = run(tmp_path, AXES, [*steady, lost, far])
    assert found == {"box": [[-1, 1], [-1, 1]], "largest": 1, "lowest": 0.4, "loss": [0.1, 1]}


def test_what_diverged_has_axes_where_there_is_nothing_else(tmp_path):
    lost = [extent(-3, 4, 4, lost=True), extent(-1, 1, 1, lost=True)]
    assert run(tmp_path, AXES, lost)["box"] == [[-3, 4], [-3, 4]]


@pytest.mark.parametrize(
    ("loss", "shown"), [((1e-12, 1e30), [1e-6, 100]), ((0.6, 0.6), [0.4, 0.9]), ((0.0, 0.5), [1e-6, 0.5])]
)
def test_the_axis_of_the_loss_has_two_ends(tmp_path, loss, shown):
    assert run(tmp_path, AXES, [extent(0, 1, loss=loss)])["loss"] == pytest.approx(shown)


def test_a_layer_that_says_nothing_has_axes_too(tmp_path):
    found = run(tmp_path, AXES, [extent(-0.5, 0.5, 0), extent(-0.5, 0.5, 0)])
    assert (found["box"], found["largest"]) == ([[-0.5, 0.5]] * 2, 1)


def test_samples_beyond_the_axes_are_counted(tmp_path):
    points = np.random.default_rng(0).normal(size=(200, 2))
    script = AXES.replace("sharedAxes(given)", "beyond(given, [[-1, 2], [-0.5, 3]], given.length / 2)")
    inside = (points >= [-1, -0.5]).all(axis=1) & (points <= [2, 3]).all(axis=1)
    assert run(tmp_path, script, points.ravel().tolist()) == 200 - inside.sum()


EXTENTS = """
import { member, shared } from "./member.js";
const all = shared(given);
found = given.networks.map((own) => {
  const computed = member(own, all, { functions: FUNCTIONS });
  return all.seeds.map((_, seed) => own.spaces.map((space) => computed.extent(space, seed)));
});
"""


@pytest.mark.parametrize("network", [(Dense(2), Act(), Dense(1)), (Dense(6), Act(), Dense(1))], ids=["plane", "wide"])
def test_extents_are_those_of_python(tmp_path, network):
    """Of all samples at all epochs; of a network that diverged, at those before it did."""
    ended = {("tanh", 0.05, 1): (5, "the training loss became infinite")}
    recording = record_all(tmp_path / "run", network=network, seeds=2, diverged=ended)
    entries = {entry.activation: entry for entry in reported(recording)}
    content = player.content(recording, entries, styles_of(recording.study.activations))
    functions = table("FUNCTIONS", content.pop("functions"))
    found = run(tmp_path, EXTENTS.replace("const all", f"{functions}\nconst all", 1), content)
    for name, by_seed in zip(recording.study.activations, found, strict=True):
        for seed, (own,) in enumerate(by_seed):
            space = feature_space(recording, name, seed=seed)
            assert own["lost"] == ((name, seed) == ("tanh", 1))
            np.testing.assert_allclose(own["box"], space.box, rtol=1e-4, atol=1e-4)
            weights = [recording.weights(space.member, epoch) for epoch in space.epochs]
            units = [hidden(space.network, own_weights, space.x)[0]["act1"] for own_weights in weights]
            assert own["largest"] == pytest.approx(np.abs(units).max(), rel=1e-5)


USUAL = {"hidden": [], "epoch": 150, "seeds": [0, 1, 2], "seed": 1, "layers": ["act1", "act2"], "layer": "act2"}
USUAL |= {"every": [0, 1, 2, 3], "labels": ["red", "round"], "label": "red"}
ADDRESS = """
import { readState, written } from "./state.js";
const state = readState(given.usual, given.hash);
found = { ...state, hidden: [...state.hidden], written: written(state, given.usual) };
"""


@pytest.mark.parametrize(
    "hash",
    [
        "",
        "epoch=40",
        "at=curves&theme=dark&hide=relu%2Ctanh&epoch=0&seed=2&layer=act1&label=round&axes=own&one=3&show=activations",
    ],
)
def test_the_address_tells_the_state_and_back(tmp_path, hash):
    found = run(tmp_path, ADDRESS, {"usual": USUAL, "hash": f"#{hash}" if hash else ""})
    assert found["written"] == hash
    if "seed=2" in hash:
        assert (found["hidden"], found["epoch"], found["seed"], found["one"]) == (["relu", "tanh"], 0, 2, 3)
    assert found["axes"] == ("own" if "axes" in hash else "shared")


@pytest.mark.parametrize(
    "hash", ["#epoch=abc&seed=99&layer=nix&label=nix&theme=pink&one=x&axes=mine", "#epoch=999", "#epoch=&seed="]
)
def test_an_address_that_makes_no_sense_is_the_usual_state(tmp_path, hash):
    found = run(tmp_path, ADDRESS, {"usual": USUAL, "hash": hash})
    assert found["written"] == ""
    assert (found["epoch"], found["seed"], found["layer"], found["label"], found["theme"]) == (
        150,
        1,
        "act2",
        "red",
        None,
    )


def test_the_bundle_runs_without_imports():
    script = bundle("page.js")
    assert "import {" not in script
    assert "\nexport " not in script
    # Each module comes before those that use it.
    assert script.index("const module_arrays_js") < script.index("const module_member_js")
