"""Figures from Python and from the command line: what is drawn, into which files, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.metrics import log_loss
from tests.synthetic_recording import record
from tests.views_recording import record_all

import actlab
from actlab.cli import main
from actlab.cli.figures import epoch_list
from actlab.errors import ActlabError, InvalidFunction, InvalidRecording, UnknownName
from actlab.layers import Act, Dense, Residual
from actlab.replay.feature_space import feature_space, on_shared_axes
from actlab.replay.projection import principal_axes
from actlab.study import Milestone, Study
from actlab.views.figures.histories import HISTORIES, WITHOUT_LEGEND
from actlab.views.figures.recording import Figures


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return actlab.load(record_all(tmp_path_factory.mktemp("runs") / "run").directory)


def by_hand(recording, activation, function, epoch, seed):
    member = next(m for m in recording.members if m.activation == activation and m.seed == seed)
    weights = recording.weights(member, epoch)
    hidden = function(recording.sample["x"] @ weights["dense1"]["weight"] + weights["dense1"]["bias"])
    return hidden, (hidden @ weights["dense2"]["weight"] + weights["dense2"]["bias"])[:, 0]


def test_a_snapshot_is_a_forward_pass_by_hand(recording):
    space = feature_space(recording, "tanh", seed=3)
    for epoch in (0, 5):
        hidden, logits = by_hand(recording, "tanh", np.tanh, epoch, 3)
        snapshot = space.at(epoch)
        np.testing.assert_allclose(snapshot.points, hidden, atol=1e-6)
        np.testing.assert_allclose(snapshot.probability, 1 / (1 + np.exp(-logits.astype(float))), rtol=1e-5)
        assert snapshot.loss.mean() == pytest.approx(log_loss(recording.sample["y"], snapshot.probability), rel=1e-5)
        np.testing.assert_array_equal(snapshot.right, (logits > 0) == recording.sample["y"])
        assert np.all((space.box[:, 0] <= hidden) & (hidden <= space.box[:, 1]))


def test_the_decision_surface_is_what_the_network_says_there(recording):
    space = feature_space(recording, "tanh", seed=3)
    snapshot, member = space.at(4), space.member
    weights = recording.weights(member, 4)["dense2"]
    (left, right), (low, high) = snapshot.features.box
    corner = np.array([[left, low], [right, high]]) @ weights["weight"] + weights["bias"]
    np.testing.assert_allclose(snapshot.features.logits[[0, -1], [0, -1]], corner, rtol=1e-4)
    assert snapshot.inputs.logits.shape == (101, 101, 1)
    assert snapshot.lines.shape == (26, 41, 2)


def test_a_wide_layer_is_projected_on_its_principal_axes(tmp_path):
    recording = record_all(tmp_path / "run", network=(Dense(6), Act(), Dense(1)))
    space = feature_space(recording, "tanh", seed=0)
    weights = recording.weights(space.member, 8)["dense1"]
    hidden = np.tanh(recording.sample["x"] @ weights["weight"] + weights["bias"])
    expected = PCA(2).fit_transform(hidden)
    points = space.at(8).points
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-5)
    assert space.at(8).features is None


@pytest.mark.parametrize("shape", [(50, 7), (9, 40)])
def test_principal_axes_are_those_of_scikit_learn(shape):
    values = np.random.default_rng(0).normal(size=shape) * np.linspace(3, 1, shape[1])
    found, reference = principal_axes(values), PCA(2).fit(values)
    np.testing.assert_allclose(found[0], reference.mean_, atol=1e-12)
    for axis, expected in zip(found[1:], reference.components_, strict=True):
        assert abs(axis @ expected) == pytest.approx(1, abs=1e-9)


def test_principal_axes_of_hardly_anything():
    assert not principal_axes(np.zeros((5, 3)))[1:].any()
    assert not principal_axes(np.full((5, 3), np.nan)).any()
    assert principal_axes(np.array([[0.0, 1.0], [0.0, 3.0], [np.inf, 0.0]]))[1].tolist() == [0.0, 1.0]


def test_figures_have_a_row_for_each_activation_and_a_column_for_each_epoch(recording):
    figure = recording.feature_space().plot(epoch=[0, 4, 8])
    titles = [panel.get_title() for panel in figure.axes]
    assert len(titles) == 9
    assert [title.split(":")[0] for title in titles[:3]] == ["epoch 0", "epoch 4", "epoch 8"]
    space = feature_space(recording, "sigmoid")
    assert titles[2].endswith(f"{100 * space.at(8).right.mean():.1f} % right")
    points = np.concatenate([line.get_xydata() for line in figure.axes[2].lines[-2:]])
    np.testing.assert_allclose(np.sort(points, axis=0), np.sort(space.at(8).points, axis=0))


def test_rows_share_their_axes(recording):
    """Those of feature spaces hold all of them at all epochs; those of histograms are the same at any epoch."""
    figures = recording.feature_space(seed=2)
    boxes = np.stack([feature_space(recording, name, seed=2).box for name in recording.study.activations])
    expected = np.stack([boxes[..., 0].min(axis=0), boxes[..., 1].max(axis=0)], axis=1)
    for axes in figures.plot(epoch=[0, 8]).axes:
        np.testing.assert_allclose([axes.get_xlim(), axes.get_ylim()], expected)
    for kind in ("probabilities", "losses"):
        seen = [(axes.get_xlim(), axes.get_ylim()) for axes in figures.draw([kind], [0, 8]).axes]
        assert len(set(seen)) == 1
        assert seen[0] == ((figures.draw([kind], 4)).axes[0].get_xlim(), seen[0][1])
    own = recording.feature_space(seed=2, axes="own").plot(epoch=8).axes
    np.testing.assert_allclose([[axes.get_xlim(), axes.get_ylim()] for axes in own], boxes)
    with pytest.raises(UnknownName, match="unknown axes 'mine': known: own, shared"):
        recording.feature_space(axes="mine")


def test_what_diverged_or_lies_far_beyond_does_not_stretch_shared_axes(recording, tmp_path):
    spaces = [feature_space(recording, name, seed=2) for name in ("sigmoid", "tanh", "relu")]
    far = replace(spaces[2])
    far.__dict__["box"] = np.array([[-50.0, 1.0], [0.0, 1.0]])
    held = on_shared_axes([*spaces[:2], far])
    expected = on_shared_axes(spaces[:2])[0].shown
    for space in held:
        np.testing.assert_array_equal(space.shown, expected)
    ended = {("relu", 0.05, 2): (5, "the training loss became infinite")}
    diverged = actlab.load(record_all(tmp_path / "run", diverged=ended).directory)
    figures = diverged.feature_space(seed=2)
    steady = on_shared_axes([space for space in figures.spaces if space.member.activation != "relu"])[0].shown
    np.testing.assert_array_equal(figures.spaces[2].shown, steady)
    panel = figures.plot(epoch=4).axes[2]
    snapshot = figures.spaces[2].at(4)
    beyond = ((snapshot.points < steady[:, 0]) | (snapshot.points > steady[:, 1])).any(axis=1).sum()
    assert beyond
    assert panel.get_title().endswith(f"\n{beyond} samples beyond the axes")
    points = np.concatenate([line.get_xydata() for line in panel.lines[-2:]])
    assert ((points >= steady[:, 0]) & (points <= steady[:, 1])).all()


@pytest.mark.parametrize("kind", ["probability_histogram", "loss_histogram"])
def test_histograms_count_every_sample(recording, kind):
    figures = recording.feature_space(activations=["tanh"], seed=2)
    (panel,) = getattr(figures, kind)(epoch=3).axes
    heights = [abs(bar.get_height()) for bar in panel.patches]
    assert sum(heights) == len(recording.sample["y"])
    wrong = sum(
        abs(b.get_height())
        for b in panel.patches
        if b.get_facecolor()[:3] == pytest.approx((0.82, 0.063, 0.122), abs=0.01)
    )
    assert wrong == (~feature_space(recording, "tanh", seed=2).at(3).right).sum()
    assert getattr(recording, kind)(epoch=3, activations=["tanh"], seed=2).axes


def test_curves_are_medians_over_the_seeds(recording):
    figure = recording.curves(activations=["relu"])
    (line,) = figure.axes[0].lines
    columns = [m.id for m in recording.members if m.activation == "relu"]
    expected = np.median(recording.metrics["validation_accuracy"][:, columns], axis=1)
    np.testing.assert_allclose(line.get_ydata(), expected[-len(line.get_ydata()) :])


def test_figures_show_themselves_in_a_notebook(recording):
    figure = recording.feature_space(activations=["tanh"]).plot(epoch=2)
    assert figure._repr_png_().startswith(b"\x89PNG")
    animation = recording.feature_space(activations=["tanh"]).animate(epochs=[0, 1])
    assert "data:image/png;base64" in animation._repr_html_()


def test_a_diverged_network_is_shown_up_to_its_last_epoch(tmp_path):
    ended = {("tanh", 0.05, 0): (5, "the training loss became infinite")}
    recording = actlab.load(record_all(tmp_path / "run", diverged=ended).directory)
    figures = recording.feature_space(activations=["tanh"], seed=0)
    assert figures.epochs == (0, 1, 2, 3, 4)
    assert figures.plot(epoch=[4, 8]).axes[1].get_title() == "diverged at epoch 5"


def test_what_is_not_there_is_named(recording, tmp_path):
    with pytest.raises(UnknownName, match="layer 'act7'"):
        recording.feature_space("act7")
    with pytest.raises(UnknownName, match="seed '99'"):
        recording.feature_space(seed=99)
    with pytest.raises(UnknownName, match="did you mean 'tanh'"):
        recording.feature_space(activations=["tahn"])
    with pytest.raises(InvalidRecording, match="there is no epoch 99: the recording has 0 to 8"):
        recording.feature_space().plot(epoch=99)
    with pytest.raises(InvalidRecording, match="no samples and weights"):
        actlab.load(record(tmp_path / "bare").directory).feature_space()


def test_an_input_that_is_no_plane(recording):
    figures = recording.feature_space(activations=["tanh"])
    solid = replace(figures.spaces[0], x=np.zeros((4, 3)))
    object.__setattr__(figures, "spaces", (solid,))
    with pytest.raises(InvalidFunction, match="is no plane: draw the feature space"):
        figures.input_space()


@pytest.mark.parametrize("network", [(Residual((Dense(2), Act())), Dense(1)), (Dense(2), Act())])
def test_a_plane_of_which_more_follows_than_it_knows_has_no_decision_surface(tmp_path, network):
    recording = record_all(tmp_path / "run", network=network)
    snapshot = feature_space(recording, "tanh", seed=0).at(3)
    assert snapshot.features is None
    assert snapshot.inputs is not None


LONGEST = ("inverse_multiquadratic", "spike_fast_sigmoid", "spike_triangular", "soft_exponential", "trainable_swish")
OTHERS = ("flatten_t_swish", "multiquadratic", "sparse_sigmoid", "absolute_value", "bent_identity", "weighted_tanh")
OTHERS += ("soft_clipping", "symmetric_log", "spike_arctan", "clipped_gelu", "relu_squared", "hard_sigmoid")
TWENTY = (*LONGEST, *OTHERS, "mexican_hat", "tanh_shrink", "soft_shrink")
CLASSES = tuple(f"a class whose name is long and costs ${number}" for number in range(9))
CLASSES += ("_unbroken" + "x" * 60,)
KINDS = ("input-space,feature-space,probabilities,losses", "losses", "probabilities", "feature-space", "input-space")


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """Twenty activations of long names, ten classes of long names, and milestones."""
    milestones = tuple(Milestone(name=f"$x^{n}$ of them are right at last", accuracy=0.6) for n in range(3))
    folder = tmp_path_factory.mktemp("crowded") / "run"
    network = (Dense(2), Act(), Dense(10))
    settings = {
        "activations": TWENTY,
        "seeds": 2,
        "milestones": milestones,
        "network": network,
        "classes": CLASSES,
        "tested": 400,
    }
    return actlab.load(record_all(folder, **settings).directory)


def drawn(figure):
    """Draw it without a warning; its own rectangle with half a dot around it, in dots."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.draw(FigureCanvasAgg(figure).get_renderer())
    return figure.bbox.padded(0.5)


def holds(outer, inner):
    return outer.x0 <= inner.x0 and outer.y0 <= inner.y0 and inner.x1 <= outer.x1 and inner.y1 <= outer.y1


def assert_whole(figure):
    """No panel is cut off with all that is written at it, no title or label lies on another, nor on the legend."""
    inside = drawn(figure)
    headings = []
    for legend in figure.legends:
        assert holds(inside, legend.get_window_extent())
        assert not any(legend.get_window_extent().overlaps(axes.get_tightbbox()) for axes in figure.axes)
    for axes in figure.axes:
        assert holds(inside, axes.get_tightbbox()), axes
        headings += [label for label in (axes.title, axes.xaxis.label, axes.yaxis.label) if label.get_text()]
    for i, heading in enumerate(headings):
        box = heading.get_window_extent()
        assert not [other for other in headings[i + 1 :] if box.overlaps(other.get_window_extent())], heading


@pytest.mark.parametrize("count", [1, 7, 20])
@pytest.mark.parametrize("kind", ["losses", "feature-space", *HISTORIES])
def test_nothing_is_cut_off_of_one_to_twenty_activations(crowded, kind, count, monkeypatch):
    monkeypatch.setattr("actlab.statistics.power.STUDIES", 1)
    # One activation is compared with none.
    alone = count == 1 and kind in ("differences", "power")
    figures = Figures(crowded, TWENTY[: 2 if alone else count], seed=0)
    figure = figures.history(kind) if kind in HISTORIES else figures.draw([kind], 8)
    assert_whole(figure)
    assert bool(figure.legends) == (kind not in WITHOUT_LEGEND)
    if not figure.legends:
        return
    labels = [text.get_text().replace("\n", " ") for text in figure.legends[0].get_texts()]
    if kind in HISTORIES:
        assert labels == list(TWENTY[: 2 if alone else count])
    elif kind == "losses":
        assert labels[0].startswith("classified rightly")
        assert labels[1:] == ["classified wrongly"]
    else:
        assert [label.replace(" ", "") for label in labels[:-2]] == [name.replace(" ", "") for name in CLASSES]


@pytest.mark.parametrize("kinds", KINDS)
def test_nothing_is_cut_off_of_any_kind_of_panels(crowded, kinds):
    assert_whole(Figures(crowded, TWENTY[:1], seed=0).draw(kinds.split(","), [0, 8]))


def test_nothing_is_cut_off_of_two_classes(recording):
    assert_whole(recording.loss_histogram(epoch=3, activations=["tanh"]))
    assert_whole(recording.probability_histogram(epoch=3, activations=["tanh"]))


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["losses"], ["classified rightly", "classified wrongly"]),
        (["probabilities"], ["negative", "positive", "classified wrongly"]),
        (["input-space"], ["negative", "positive", "classified wrongly", "decision"]),
    ],
)
def test_the_legend_explains_what_is_drawn(recording, kinds, expected):
    figure = recording.feature_space(activations=["tanh"]).draw(kinds, 3)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == expected
    drawn_in = {patch.get_facecolor() for axes in figure.axes for patch in axes.patches}
    shown = {to_rgba(line.get_color()) for line in figure.legends[0].get_lines()}
    assert drawn_in <= shown


@pytest.mark.parametrize("figsize", [(9, 4), (5, 5), (4, 6)])
def test_a_legend_is_whole_in_a_size_that_is_given(crowded, figsize):
    figures = Figures(crowded, TWENTY[:1], seed=0)
    figure = figures.draw(["feature-space"], 8, figsize=figsize)
    inside = drawn(figure)
    assert tuple(figure.get_size_inches()) == figsize
    assert holds(inside, figure.legends[0].get_window_extent())
    assert figure.legends[0].get_window_extent().height <= figure.bbox.height / 2


def test_a_size_without_room_for_the_legend_is_refused(crowded):
    with pytest.raises(InvalidFunction, match="2x1 inches has no room for a legend of 12 entries"):
        Figures(crowded, TWENTY[:1], seed=0).draw(["feature-space"], 8, figsize=(2, 1))


def test_lines_beyond_twelve_are_told_apart(crowded):
    panel = Figures(crowded, TWENTY).history("curves").axes[0]
    assert len({(line.get_color(), line.get_linestyle()) for line in panel.lines}) == 20


def test_an_animation_is_as_large_as_its_first_frame(crowded, tmp_path):
    animation = Figures(crowded, TWENTY[:1], seed=0).animate([0, 8], ["losses"])
    animation.save(str(tmp_path / "animation.gif"), dpi=50)
    with Image.open(tmp_path / "animation.gif") as image:
        width, height = image.size
    assert (width / 50, height / 50) == pytest.approx(tuple(animation._fig.get_size_inches()), abs=0.05)


def command(*arguments):
    sys.argv = ["actlab", *map(str, arguments)]
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("feature-space", ["--epochs", "0,8", "--activations", "tanh,relu", "--seed", "1"]),
        ("input-space,probabilities,losses", []),
        ("curves", []),
        ("gradients", []),
    ],
)
@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_figure_writes_a_file(recording, tmp_path, kind, options, suffix):
    out = tmp_path / f"picture{suffix}"
    assert command("figure", recording.directory, kind, "--out", out, "--dpi", "50", "--size", "6x4", *options) == 0
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    if suffix == ".png":
        with Image.open(out) as image:
            assert image.size == (300, 200)


@pytest.mark.parametrize("suffix", [".gif", ".mp4", ".webm"])
def test_animate_writes_a_file(recording, tmp_path, suffix):
    out = tmp_path / f"animation{suffix}"
    options = ["--activations", "tanh", "--epochs", "0-8:2", "--dpi", "40", "--speed", "4"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert command("animate", recording.directory, "--out", out, *options) == 0
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    if suffix == ".gif":
        with Image.open(out) as image:
            assert image.n_frames == 5
            assert image.info["duration"] == 250
        return
    import imageio_ffmpeg

    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(out))
    assert frames == 5
    assert seconds == pytest.approx(1.25, abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["figure", "RUN", "feature-spaces", "--out", "a.png"], "did you mean 'feature-space'"),
        (["figure", "RUN", "curves", "--out", "a.jpg"], ".png, .svg or .pdf"),
        (["figure", "RUN", "curves", "--out", "a.png", "--seed", "1"], "leave out --epochs, --layer and --seed"),
        (["figure", "RUN", "losses", "--out", "a.png", "--epochs", "9"], "there is no epoch 9"),
        (["figure", "RUN", "losses", "--out", "a.png", "--epochs", "x"], "epochs are expected, as in 0,40,150"),
        (["figure", "RUN", "losses", "--out", "a.png", "--size", "9"], "as in 9x4"),
        (["figure", "RUN", "milestones", "--out", "a.png"], "has no milestones to draw"),
        (["figure", "RUN", "losses", "--out", "missing/a.png"], "the picture cannot be written"),
        (["figure", "nowhere", "losses", "--out", "a.png"], "is no run directory"),
        (["figure", "RUN", "losses", "--out", "a.png", "--axes", "mine"], "unknown axes 'mine'"),
        (["animate", "RUN", "--out", "a.avi"], ".gif, .mp4 or .webm"),
        (["animate", "RUN", "--out", "missing/a.gif"], "the animation cannot be written"),
        (["animate", "RUN", "--out", "a.gif", "--activations", "nix"], "unknown activation 'nix'"),
    ],
)
def test_wrong_commands_end_in_one_sentence(recording, tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert command(*[recording.directory if a == "RUN" else a for a in arguments]) == 2
    message = capsys.readouterr().err
    assert said in message
    assert message.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_without_ffmpeg_the_extra_is_named(recording, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert command("animate", recording.directory, "--out", tmp_path / "a.mp4", "--epochs", "0") == 2
    assert "pip install 'actlab[video]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_run_stopped_before_its_first_epoch_has_no_figures(tmp_path, capsys):
    recording = record(tmp_path / "run", last_epoch=-1, complete=False)
    for arguments in (["figure", recording.directory, "curves"], ["animate", recording.directory]):
        assert (
            command(*arguments, "--out", tmp_path / "a.gif" if arguments[0] == "animate" else tmp_path / "a.png") == 2
        )
        assert "stopped before its first epoch" in capsys.readouterr().err


def test_ranges_of_epochs():
    assert epoch_list("3") == [3]
    with pytest.raises(ActlabError, match="the range is empty"):
        epoch_list("5-2")
    with pytest.raises(InvalidFunction, match="no recording has so many epochs"):
        epoch_list("0-2000000000")


def test_no_jax_is_imported(recording, tmp_path):
    script = (
        "import sys; import actlab\n"
        f"recording = actlab.load({str(recording.directory)!r})\n"
        f"actlab.report(recording, {str(tmp_path / 'report.html')!r})\n"
        "recording.feature_space().plot([0, 4])\n"
        "heavy = {'jax', 'jaxlib', 'torch', 'keras', 'plotly.graph_objects'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_curves_of_networks_that_all_diverged_are_drawn(tmp_path, capsys, monkeypatch):
    study = Study(task="diabetes", activations=["relu", "tanh"], seeds=2, epochs=2, optimiser="sgd",
                  learning_rates=[1e15])  # fmt: skip
    actlab.run(study, tmp_path / "run", progress=lambda _: None)
    monkeypatch.setattr(
        sys, "argv", ["actlab", "figure", str(tmp_path / "run"), "curves", "--out", str(tmp_path / "c.png")]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert (tmp_path / "c.png").stat().st_size > 1000
