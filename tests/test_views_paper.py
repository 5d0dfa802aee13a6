"""What is written for a paper: numbers as CSV, the table in LaTeX, how it was compared in sentences."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from tests.synthetic_recording import CHOSEN, record, record_conditions, study
from tests.views_recording import record_all

from actlab.cli import main
from actlab.errors import ActlabError, InvalidFunction
from actlab.files import new_directory
from actlab.layers import Act, BatchNorm, Dense, Dropout, Flatten, Residual
from actlab.recording import load
from actlab.statistics import summarise
from actlab.study import AdamW, Milestone, from_toml
from actlab.views.paper import latex, methods, tables, write_methods, write_table, write_tables, writing
from actlab.views.paper.columns import described
from actlab.views.terminal.comparison import legend, milestone_table, result_table

OLD = Path(__file__).parent / "recordings" / "schema-2"
MILESTONES = (Milestone(name="all right"), Milestone(name="half & half", accuracy=0.5))
EVIL = ('=cmd|"/c calc"!A1', "+1,2", "-1\n2", "@sum", "'=1", "'tis", '"', "a,b", "\t=1", "\r\n=2", "NA", "{x}_%&#~^\\$")


@pytest.fixture(
    scope="module", params=["plain", "conditions", "diverged", "dead", "one", "large", "rates", "small", "stopped"]
)
def recording(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp(request.param) / "run"
    if request.param in ("large", "rates", "small", "stopped"):
        return load(shutil.copytree(OLD / request.param, directory))
    if request.param == "conditions":
        return record_conditions(directory, {"test_accuracy": lambda m: 0.8 + 0.01 * m.seed + m.learning_rate / 7})
    if request.param == "one":
        return record_all(directory, activations=("relu",), seeds=1)
    if request.param == "dead":
        every = {(name, 0.05, seed): (2, "training loss is nan") for name in ("relu", "tanh") for seed in (0, 1)}
        return record_all(directory, activations=("relu", "tanh"), seeds=2, diverged=every)
    if request.param == "diverged":
        dead = {("relu", 0.05, seed): (1, "training loss is inf") for seed in range(10)}
        return record_all(directory, diverged={("tanh", 0.05, 2): (3, "training loss is nan"), **dead})
    samples = {"train": 200, "validation": 60, "test": 70}
    return record(directory, study(milestones=MILESTONES), facts={"samples": samples, "test_class_counts": [30, 40]})


@pytest.fixture(scope="module")
def summary(recording):
    return summarise(recording)


@pytest.fixture(scope="module")
def written(recording, tmp_path_factory):
    return write_tables(recording, tmp_path_factory.mktemp("csv") / "deep" / "tables")


def rows_of(directory, name):
    with open(directory / f"{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def same(cell, value):
    """Whether a cell reads back as a value of the summary; what is null there is empty."""
    if value is None:
        return cell == ""
    if isinstance(value, bool):
        return cell == str(value).lower()
    return float(cell) == value if isinstance(value, (int, float)) else tables.unguarded(cell) == value


def contests_of(summary):
    return [(summary["contest"]["name"], summary), *((other["name"], other) for other in summary["contests"])]


def test_results_are_those_of_the_summary(summary, written):
    rows = rows_of(written, "results")
    wanted = [(name, row) for name, own in contests_of(summary) for row in own["activations"]]
    assert [(row["condition"], row["activation"]) for row in rows] == [(name, row["name"]) for name, row in wanted]
    for row, (_, given) in zip(rows, wanted, strict=True):
        for key in ("members", "diverged", "learning_rate", "learning_rate_at_edge", "parameters", "best_p"):
            assert same(row[key], given[key])
        for key in ("gradient_ratio", "flat_share", "dead_share"):
            assert same(row[key], given[key])
        for metric in ("test_accuracy", "test_loss", "train_loss"):
            for key in ("mean", "median", "count"):
                assert same(row[f"{metric}_{key}"], given[metric][key])
            for end, value in zip(("low", "high"), given[metric]["ci95"] or (None, None), strict=True):
                assert same(row[f"{metric}_ci95_{end}"], value)
        assert same(row["epochs_to_target_target"], given["epochs_to_target"]["target"])


def test_an_activation_stands_where_the_summary_puts_it(summary, written):
    said = {(row["condition"], row["activation"]): row["standing"] for row in rows_of(written, "results")}
    for name, own in contests_of(summary):
        for key, standing in (
            ("best_set", "may be the best"),
            ("not_best", "not the best"),
            ("not_compared", "not compared"),
        ):
            few = key != "not_compared" and own["best_seeds"] < 6
            assert all(said[name, one] == ("too few seeds" if few else standing) for one in own[key])


def test_pairs_are_those_of_the_summary(summary, written):
    rows = rows_of(written, "comparisons")
    wanted = [(name, row) for name, own in contests_of(summary) for row in own["comparisons"]]
    assert len(rows) == len(wanted)
    for row, (name, given) in zip(rows, wanted, strict=True):
        assert row["condition"] == name
        intervals = [key for key in given if key.startswith("ci95")]
        assert all(same(row[key], value) for key, value in given.items() if key not in intervals)
        for key in intervals:
            low, high = given[key] or (None, None)
            assert same(row[f"{key}_low"], low)
            assert same(row[f"{key}_high"], high)
    with open(written / "comparisons.csv", encoding="utf-8") as file:
        assert file.readline().startswith("condition,a,b,metric,difference,ci95_low,ci95_high,p")


def test_a_baseline_is_a_file_of_its_own_and_stands_in_the_methods(recording, tmp_path):
    own = load(recording.directory)
    own.baseline = own.study.activations[-1]
    summary = summarise(own)
    write_tables(own, tmp_path / "tables")
    rows = rows_of(tmp_path / "tables", "baseline")
    wanted = [(name, row) for name, held in contests_of(summary) for row in held["baseline"]["comparisons"]]
    assert [(row["condition"], row["a"], row["b"]) for row in rows] == [(n, w["a"], w["b"]) for n, w in wanted]
    assert all(row["b"] == own.baseline for row in rows)
    for row, (_, given) in zip(rows, wanted, strict=True):
        for key in ("difference", "p_max_t", "told_apart"):
            assert same(row[key], given[key]), key
    told = f"compared with {own.baseline}, the baseline, alone"
    assert (told in methods(own)) == (len(own.study.seeds) > 1 and len(own.study.activations) > 1)
    # Without one there is neither.
    write_tables(recording, tmp_path / "without")
    assert not (tmp_path / "without" / "baseline.csv").exists()
    assert "the baseline, alone" not in methods(recording)


def test_members_and_curves_are_those_of_the_recording(recording, written):
    members, curves = rows_of(written, "members"), rows_of(written, "curves")
    assert [int(row["member"]) for row in members] == [member.id for member in recording.members]
    assert len(curves) == len(members) * (recording.epochs + 1)
    for name, values in recording.metrics.items():
        found = np.genfromtxt([row[name] or "nan" for row in curves]).reshape(len(members), -1).T
        np.testing.assert_array_equal(found, values)
        np.testing.assert_array_equal([float(row[name] or "nan") for row in members], values[-1])
    for row, member in zip(members, recording.members, strict=True):
        assert (row["activation"], int(row["seed"]), row["init"]) == (member.activation, member.seed, member.init)
        assert float(row["learning_rate"]) == member.learning_rate
        assert same(row["diverged_epoch"], member.diverged_epoch)
        assert same(row["diverged_reason"], member.diverged_reason)


def test_what_is_never_reached_is_infinite_and_what_is_not_known_empty(recording, summary, written):
    for row, given in zip(rows_of(written, "results"), summary["activations"], strict=False):
        reached, median = given["epochs_to_target"]["reached"], given["epochs_to_target"]["median"]
        wanted = ("" if reached is None else "inf") if median is None else repr(float(median))
        assert row["epochs_to_target_median"] == wanted
        ends = given["epochs_to_target"]["ci95"]
        wanted = [] if ends is None else ["inf" if end is None else repr(float(end)) for end in ends]
        assert [row[f"epochs_to_target_ci95_{end}"] for end in ("low", "high")] == (wanted or ["", ""])
    if not recording.study.milestones:
        assert not (written / "milestones.csv").exists()
        return
    rows = rows_of(written, "milestones")
    wanted = [row for own in summary["activations"] for row in own["milestones"]]
    assert [row["milestone"] for row in rows] == [given["name"] for given in wanted]
    assert [float(row["median"]) for row in rows] == [
        np.inf if given["median"] is None else given["median"] for given in wanted
    ]
    if recording.study.milestones == MILESTONES:
        assert {row["median"] for row in rows} >= {"inf"}


def test_the_readme_has_words_for_every_file_and_column(recording, written):
    text = (written / "README.txt").read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= 100
    assert " ".join(methods(recording).split()) in " ".join(text.split())
    for file in written.glob("*.csv"):
        assert f"{file.name}: a row for each" in text
        with file.open(encoding="utf-8", newline="") as opened:
            for column in next(csv.reader(opened)):
                assert re.search(rf"^  {re.escape(column)} ", text, flags=re.MULTILINE)
                assert "summary.json" not in described(column, recording)


@pytest.mark.parametrize("text", EVIL)
def test_a_name_comes_back_and_is_no_formula(text):
    written = tables.csv_text(tables.Table("t", ("name", "p"), [(text, -0.5), ("relu", None)]))
    (_, (name, p), after) = csv.reader(io.StringIO(written, newline=""))
    assert tables.unguarded(name) == text
    assert name.lstrip()[:1] not in tuple("=+-@")
    assert (p, after) == ("-0.5", ["relu", ""])


def test_names_of_a_user_come_back_from_the_files(tmp_path):
    named = study(name="=a,b", milestones=[Milestone(name=text) for text in EVIL], seeds=2)
    found = write_tables(record(tmp_path / "run", named), tmp_path / "csv")
    assert tuple(tables.unguarded(row["milestone"]) for row in rows_of(found, "milestones")[: len(EVIL)]) == EVIL


def test_numbers_are_written_in_full():
    values = [0.1 + 0.2, 1e-300, -0.0, 1 / 3, np.inf, -np.inf, 12345678901234567890.0]
    text = tables.csv_text(tables.Table("t", ("x",), [(value,) for value in values]))
    assert [float(line) for line in text.split()[1:]] == values


def test_only_a_new_or_empty_directory_is_filled(tmp_path):
    recording = record(tmp_path / "run", study(seeds=2))
    for place, what in ((tmp_path / "run", "is not empty"), (tmp_path / "file", "is no directory")):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(ActlabError, match=f"{place.name} exists and {what}: name a new directory"):
            write_tables(recording, place)
    (tmp_path / "empty").mkdir()
    assert {path.name for path in write_tables(recording, tmp_path / "empty").iterdir()} == {
        "README.txt",
        *(f"{name}.csv" for name in ("results", "members", "curves", "comparisons")),
    }
    with pytest.raises(ActlabError, match="cannot be written"):
        write_tables(recording, tmp_path / "file" / "within")
    assert (tmp_path / "file").read_text() == "mine"


def test_nothing_half_written_is_left(tmp_path, monkeypatch):
    recording = record(tmp_path / "run", study(seeds=2))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tables, "readme", full)
    with pytest.raises(ActlabError, match=r"csv: the tables cannot be written \(No space left on device\)\."):
        write_tables(recording, tmp_path / "csv")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_an_empty_directory_stays_empty_where_filling_it_fails(tmp_path):
    def fill():
        with new_directory(tmp_path / "empty") as filled:
            (filled / "a").write_text("")
            raise KeyError

    (tmp_path / "empty").mkdir()
    with pytest.raises(KeyError):
        fill()
    assert [*tmp_path.rglob("*")] == [tmp_path / "empty"]


def test_nothing_is_written_of_a_run_without_an_epoch(tmp_path):
    recording = record(tmp_path / "run", study(seeds=2), last_epoch=-1, complete=False)
    for write in (write_tables, write_table):
        with pytest.raises(ActlabError, match="stopped before its first epoch: there is nothing to compare"):
            write(recording, tmp_path / "out")
    assert "stopped before its first epochs" in methods(recording)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


# Every sign that LaTeX takes for a command, where it is not behind a backslash.
BARE = re.compile(r"(?<!\\)[%#&_^]")
COMMANDS = re.compile(r"\\(?:begin|end)\{(\w+)\}")


def tabulars(text):
    """For each tabular, its rows as lists of cells."""
    return [
        [line.removesuffix(r" \\").split(" & ") for line in body.splitlines() if line.endswith(r"\\")]
        for body in re.findall(r"\\begin\{tabular\}(.*?)\\end\{tabular\}", text, flags=re.DOTALL)
    ]


def test_the_table_is_built_soundly(recording, summary):
    text = latex.table(recording, summary)
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    depth = 0
    for sign in re.sub(r"\\[{}\\]", "", body):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0
    opened = []
    for found in COMMANDS.finditer(body):
        if found[0].startswith(r"\begin"):
            opened.append(found[1])
        else:
            assert opened.pop() == found[1]
    assert opened == []
    for rows in tabulars(body):
        assert len({len(row) for row in rows}) == 1
    text_alone = re.sub(r"\$[^$]*\$|\\label\{.*\}", "", body)
    assert {sign[0] for sign in BARE.finditer(text_alone)} == {"&"}
    assert body.count(r"\begin{table}") == 1 + len(summary["contests"]) == len(set(re.findall(r"\\label\{.*", body)))
    assert body.isascii()


def test_the_table_holds_what_the_terminal_shows(recording, summary):
    found = iter(tabulars(latex.table(recording, summary)))
    for _, own in contests_of(summary):
        for shown in (
            result_table(recording, {**summary, **own}, milestones=False),
            *([milestone_table(recording, {**summary, **own})] if recording.study.milestones else []),
        ):
            cells = list(zip(*(column.cells for column in shown.columns), strict=True))
            rows = next(found)[-len(cells) :]
            for row, (name, *numbers) in zip(rows, cells, strict=True):
                assert row[0].removeprefix(r"\textbf{").rstrip("}") == latex.escape(str(name)).rstrip("}")
                assert row[1:] == [latex.number(str(cell)) for cell in numbers]
    assert latex.escape(legend(summary)) in latex.table(recording, summary)


def test_names_that_may_be_the_best_are_bold_where_some_are_not(tmp_path):
    better = {"sigmoid": 0.7, "tanh": 0.9, "relu": 0.9}
    metrics = {"test_accuracy": lambda m: better[m.activation] + 0.01 * ((m.seed * 7 + len(m.activation)) % 5)}
    text = latex.table(recording := record(tmp_path / "run", metrics=metrics), summarise(recording))
    assert r"\textbf{tanh} &" in text
    assert r"\textbf{relu} &" in text
    assert "\nsigmoid &" in text
    assert latex.escape(latex.BOLD) in text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("50 % & more_of #1", r"50~\% \& more\_of \#1"),
        (r"{\x}~^$", r"\{\textbackslash{}x\}\textasciitilde{}\textasciicircum{}\$"),
        ("low–high −1 ∞ 2×3", r"low--high $-$1 $\infty$ 2$\times$3"),
        ("a--b ''c'' ?`", r"a-{}-b `{}'c'{}' ?\textasciigrave{}"),
        ('|f\'| <1> "q"', r"\textbar{}f'\textbar{} \textless{}1\textgreater{} ``q''"),
        ("α\x00\nς", r"$\alpha$ $\sigma$"),
    ],
)
def test_signs_of_latex_are_escaped(text, wanted):
    assert latex.escape(text) == wanted


def compiled(folder, *parts):
    body = "\n".join(f"\\input{{{part}}}\n\n" for part in parts)
    packages = "\\documentclass{article}\n\\usepackage{booktabs}\n"
    (folder / "paper.tex").write_text(f"{packages}\\begin{{document}}\n{body}\\end{{document}}\n")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "paper.tex"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed: the table is not compiled")
def test_it_compiles(recording, tmp_path):
    write_table(recording, tmp_path / "table.tex")
    write_methods(recording, tmp_path / "methods.tex")
    names = "\n\n".join(latex.escape(text) for text in EVIL)
    rows = [" & ".join((latex.escape(text), latex.number("1.2e-09"))) for text in EVIL]
    (tmp_path / "names.tex").write_text(names + "\n\n" + "\n\n".join(row.replace(" & ", " ") for row in rows))
    done = compiled(tmp_path, "table.tex", "methods.tex", "names.tex")
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull \\hbox" not in "".join(line for line in done.stdout.splitlines() if "alignment" in line)


def test_methods_say_what_was_done(tmp_path):
    layers = (Flatten(), Dense(2), BatchNorm(), Act(), Dropout(0.25), Residual((Dense(2, bias=False), Act("relu"))))
    samples = {"train": 2000, "validation": 500, "test": 400}
    told = methods(
        record(
            tmp_path / "run",
            study(
                network=(*layers, Dense(1, init="normal(0.05)", l2=0.001)),
                optimiser=AdamW(weight_decay=0.02),
                provenance="two parabolas, computed.",
                digest="ab" * 32,
                seeds=(1, 4, 9),
                batch=16,
            ),
            facts={"samples": samples, "machine": "a machine", "versions": {"actlab": "9", "jax": "8"}},
            diverged={("tanh", 0.05, 4): (3, "training loss is nan")},
        )
    )
    for sentence in (
        "The task is parabolas: two parabolas, computed.",
        "There are 2,000 training samples, 500 validation samples and 400 test samples.",
        "begins with abababababababab.",
        "flattening; dense, 2 units, weights glorot_uniform; batch normalisation (momentum 0.9, epsilon 1e-05); the "
        "activation under study; dropout of 25 %; residual block (dense, 2 units, weights glorot_uniform, no bias; "
        "relu); dense, 1 unit, weights normal(0.05), L2 0.001.",
        "It has 9 parameters. The activations compared are sigmoid, tanh and relu.",
        "What training lowers is the cross-entropy.",
        "AdamW (β1 0.9, β2 0.999, ε 1e-08, weight decay 0.02) for 8 epochs in batches of 16 samples.",
        "The learning rate was 0.05 for all.",
        "Each activation was trained with 3 seeds, 1, 4 and 9.",
        "Of the 400 test samples one weighs 0.25 percentage points of accuracy.",
        "those after the last epoch; nothing was chosen by test data.",
        "Student's t intervals; differences between activations are paired by seed",
        "All was computed in float32, on a machine, with actlab 9 and jax 8.",
        "Of 9 networks 1 diverged and count in no mean: tanh, seed 4 (the first at epoch 3: training loss is nan).",
    ):
        assert sentence in told


def test_methods_of_chosen_rates_and_other_weights(tmp_path):
    told = methods(record_conditions(tmp_path / "run"))
    for sentence in (
        "was chosen among 0.1 and 0.2 by the lowest mean validation loss after 8 epochs with the seeds 7 to 9, which "
        "served nothing else; a network that diverged counted as infinitely bad.",
        "two beyond it were tried as well: 0.05 and 0.4.",
        "Chosen for stated initial weights were 0.4 for sigmoid; 0.1 for tanh and relu.",
        "Chosen for initial weights by gain were 0.2 for sigmoid and tanh; 0.05 for relu.",
        "The rate of sigmoid for stated initial weights lies at the edge of those tried.",
        "With relu for initial weights by gain every learning rate tried diverged, from 0.05 to 0.2.",
        "All were also compared at the one learning rate 0.1.",
        "the same draws scaled to variance g²/n behind a function of gain g",
        "Of sigmoid, tanh and relu no gain is known: the weights are as stated.",
        "There are 3 comparisons: the settings as stated, alike for all; each at its best learning rate; weights",
    ):
        assert sentence in told


def test_methods_claim_nothing_of_a_choice_that_is_not_recorded(tmp_path):
    own = study(learning_rates=(0.1, 0.2), chosen_rates={"stated": CHOSEN["stated"]}, seeds=3)
    assert "chosen before; the recording does not hold how" in methods(record(tmp_path / "chosen", own))
    waiting = study(learning_rates=(0.1, 0.2), seeds=3, validation="test")
    told = methods(record(tmp_path / "waiting", waiting))
    assert "is reported at the one with the lowest mean validation loss" in told
    assert "nothing was chosen" not in told


def test_methods_where_the_validation_data_are_the_test_data(tmp_path):
    facts = {"samples": {"train": 100, "validation": 50, "test": 50}}
    told = methods(record(tmp_path / "run", study(validation="test", seeds=3), facts=facts))
    assert "There are 100 training samples and 50 test samples. The validation data are the test data" in told
    tuned = record_conditions(tmp_path / "tuned", validation="test")
    assert "validation loss on samples held out of the training data after" in methods(tuned)


def test_methods_of_a_table_of_ones_own_name_it_without_its_folder(tmp_path):
    made = "mine.csv, without 'Id', 'name', target column 'y', features standardised"
    told = methods(record(tmp_path / "run", study(task="/home/me/mine.csv", provenance=made, drop=("Id", "name"))))
    assert told.startswith(f"The data are {made}. A sample")
    assert "/home/me" not in told


def test_methods_of_a_network_of_ones_own(tmp_path):
    directory = record(tmp_path / "run", study(seeds=2)).directory
    file = directory / "study.toml"
    text = re.sub(r"network = \[.*?\n\]", 'network = "nowhere:residual"', file.read_text(), flags=re.DOTALL)
    file.write_text(text)
    assert str(from_toml(file, recorded=True).network) == "nowhere:residual"
    recording = load(directory)
    told = methods(recording)
    assert "code of our own, nowhere:residual, which calls the activation at 1 place (act1) and has weights in" in told
    assert "Biases" not in told
    assert r"nowhere:residual" in write_methods(recording, tmp_path / "m.tex").read_text()
    write_tables(recording, tmp_path / "csv")
    write_table(recording, tmp_path / "t.tex")


def test_methods_say_nothing_that_is_not_recorded(tmp_path):
    facts = {"class_counts": [], "precision": "", "parameters": {}}
    told = methods(record(tmp_path / "run", study(seeds=1, activations=("relu",)), facts=facts))
    for word in ("samples one weighs", "training samples", "computed", "parameters", "digest", "paired", "tests used"):
        assert word not in told
    assert "Of a single seed there are no intervals and no tests." in told
    assert "with 1 seed, 0." in told
    assert "The activation is relu." in told
    assert told.endswith("Of 1 network none diverged.")


def test_methods_of_a_run_that_was_stopped_and_of_widened_layers(tmp_path):
    recording = record_all(tmp_path / "run", activations=("relu", "maxout"), last_epoch=3, complete=False, seeds=2)
    told = methods(recording)
    assert "stopped after epoch 3 of 8" in told
    assert "those after epoch 3;" in told
    assert "the number of units of each layer was held equal" in told
    assert re.search(r"It has \d+ parameters with relu, \d+ parameters with maxout\.", told)
    assert "(stopped: after epoch 3 of 8)" in latex.table(recording, summarise(recording))


@pytest.mark.parametrize(("suffix", "wanted"), [("md", r"leaky\_relu"), ("tex", r"leaky\_relu"), ("txt", "leaky_relu")])
def test_methods_are_written_by_the_ending(tmp_path, suffix, wanted):
    recording = record_all(tmp_path / "run", activations=("leaky_relu", "relu"), seeds=2)
    text = write_methods(recording, tmp_path / f"m.{suffix}").read_text(encoding="utf-8")
    assert wanted in text
    assert text.count("\n") == 1
    with pytest.raises(InvalidFunction, match=r"is written as \.md, \.tex or \.txt"):
        write_methods(recording, tmp_path / "m.docx")
    with pytest.raises(ActlabError, match="is a directory: name the file"):
        write_table(recording, tmp_path)
    with pytest.raises(ActlabError, match=r"there is no directory .*nowhere: make it"):
        write_table(recording, tmp_path / "nowhere" / "t.tex")


def test_a_full_disk_is_told_of(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "write_synced", full)
    with pytest.raises(ActlabError, match=r"t\.tex: the text cannot be written \(No space left on device\)\."):
        write_table(record(tmp_path / "run", study(seeds=2)), tmp_path / "t.tex")


@pytest.fixture
def command(monkeypatch, capsys):
    def start(*arguments):
        monkeypatch.setattr(sys, "argv", ["actlab", "export", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, capsys.readouterr()

    return start


def test_the_command_writes_all_that_is_asked_for(tmp_path, command):
    record_all(tmp_path / "run", seeds=2)
    places = {"--csv": "c", "--latex": "t.tex", "--methods": "m.md", "--tensorboard": "e"}
    arguments = [part for option, name in places.items() for part in (option, tmp_path / name)]
    code, said = command(tmp_path / "run", *arguments)
    assert (code, said.err) == (0, "")
    assert [line for line in said.out.splitlines() if line.startswith("wrote ")] == [
        *(f"wrote {tmp_path / name}" for name in ("c", "t.tex", "m.md")),
        f"wrote {tmp_path / 'e'}: tensorboard --logdir {tmp_path / 'e'}",
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"run", *places.values()}


def test_the_command_compares_with_a_baseline_and_knows_it(tmp_path, command):
    activation = record(tmp_path / "run").study.activations[0]
    code, said = command(tmp_path / "run", "--csv", tmp_path / "tables", "--baseline", activation)
    assert (code, said.err) == (0, "")
    assert (tmp_path / "tables" / "baseline.csv").is_file()
    code, said = command(tmp_path / "run", "--csv", tmp_path / "others", "--baseline", "rely")
    assert (code, (tmp_path / "others").exists()) == (2, False)
    assert "baseline 'rely': one of the study's activations is expected" in said.err


def test_a_figure_of_differences_is_drawn_to_the_baseline(tmp_path, monkeypatch, capsys):
    activation = record(tmp_path / "run").study.activations[-1]

    def figure(kind, name):
        options = ["--baseline", activation, "--out", str(tmp_path / name)]
        monkeypatch.setattr(sys, "argv", ["actlab", "figure", str(tmp_path / "run"), kind, *options])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code

    assert figure("ranks", "ranks.svg") == 2
    assert "--baseline is what differences are drawn to" in capsys.readouterr().err
    assert figure("differences", "differences.svg") == 0
    assert f"difference to {activation}" in (tmp_path / "differences.svg").read_text(encoding="utf-8")


def test_methods_of_a_run_in_which_nothing_trained_name_no_test(tmp_path):
    every = {(name, 0.05, seed): (2, "training loss is nan") for name in ("relu", "tanh") for seed in (0, 1)}
    told = methods(record_all(tmp_path / "run", activations=("relu", "tanh"), seeds=2, diverged=every))
    assert "max-T" not in told
    assert "Means are" not in told
    assert "4 diverged" in told


def test_the_command_without_anything_names_what_there_is(tmp_path, command):
    code, said = command(record(tmp_path / "run", study(seeds=2)).directory)
    assert code == 2
    assert all(option in said.err for option in ("--tensorboard", "--csv", "--latex", "--methods"))


def test_the_command_writes_nothing_where_one_of_several_is_wrong(tmp_path, command):
    record(tmp_path / "run", study(seeds=2))
    assert command(tmp_path / "run", "--latex", tmp_path / "t.tex", "--methods", tmp_path / "m.doc")[0] == 2
    code, said = command(tmp_path / "run", "--latex", tmp_path / "t.tex", "--csv", tmp_path / "run")
    assert (code, said.err.count("\n")) == (2, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_the_citation_names_the_version_and_the_licence_of_the_package():
    root = Path(__file__).parent.parent
    package = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    for line in (
        "cff-version: 1.2.0",
        "type: software",
        f"version: {package['version']}",
        f"license: {package['license']}",
        f"version: {importlib.metadata.version('actlab')}",
        *(f"  - {word}" for word in package["keywords"]),
    ):
        assert f"\n{line}\n" in f"\n{citation}"
