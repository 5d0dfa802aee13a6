"""The command line as people use it: what it prints, and what it says to wrong input."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest
import typer
from tests.command_line import command_line

import actlab
from actlab.cli import app
from actlab.functions import catalogue, unregister
from actlab.recipes import RECIPES
from actlab.study import SGD, Study

TINY = ["--seeds", "2", "--epochs", "2"]


def files(directory):
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


@pytest.fixture
def actlab_command(capsys, monkeypatch, tmp_path):
    """Run a command line in an empty directory; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    return command_line(monkeypatch, capsys)


@pytest.fixture
def refused(actlab_command, tmp_path):
    """Run a command line that must be refused: one sentence, nothing written. Returns the sentence."""

    def run(*arguments):
        before = files(tmp_path), sorted(map(str, tmp_path.rglob("*")))
        code, out, err = actlab_command(*arguments)
        assert (code, out) == (2, "")
        assert err.startswith("actlab: ")
        assert err.endswith((".\n", "?\n"))
        assert err.count("\n") == 1
        assert (files(tmp_path), sorted(map(str, tmp_path.rglob("*")))) == before
        return err.removeprefix("actlab: ").rstrip("\n")

    return run


def in_a_process(*arguments, cwd, code=None, **environment):
    """Run the command, or `code` before its main(), in a process of its own."""
    start = ["-m", "actlab"] if code is None else ["-c", f"{code}\nfrom actlab.cli import main; main()"]
    return subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small run by the real command: its directory and what the process said."""
    directory = tmp_path_factory.mktemp("command")
    arguments = ["compare", "parabolas", "--seeds", "6", "--epochs", "12", "--out", "run", "--json"]
    return directory / "run", in_a_process(*arguments, cwd=directory)


# What it prints


def test_version_and_help(actlab_command):
    assert actlab_command("--version") == (0, f"actlab {version('actlab')}\n", "")
    code, out, err = actlab_command()
    assert (code, err) == (0, "")
    assert actlab_command("--help") == actlab_command("-h") == (0, out, "")
    for command in ("functions", "recipes", "compare", "report"):
        assert command in out


COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_every_command_is_documented(actlab_command, name):
    code, out, err = actlab_command(name, "--help")
    assert (code, err) == (0, "")
    assert COMMANDS[name].help.splitlines()[0][:40] in out
    for parameter in COMMANDS[name].params:
        assert parameter.help, f"actlab {name}: {parameter.name} is not documented"
        assert " ".join(parameter.help.split())[:20] in " ".join(out.split())
        if parameter.param_type_name == "option":
            assert parameter.opts[0] in out


def test_functions_are_listed_each_with_a_card(actlab_command):
    code, out, err = actlab_command("functions")
    assert (code, err) == (0, "")
    for name in catalogue:
        assert name in out
    code, out, err = actlab_command("functions", "swish")
    assert (code, err) == (0, "")
    assert out.startswith("SiLU")
    assert "Lipschitz" in out


def test_functions_as_json(actlab_command):
    code, out, err = actlab_command("functions", "--json")
    assert (code, err) == (0, "")
    records = json.loads(out)
    assert [record["name"] for record in records] == [function.name for function in catalogue.values()]
    code, out, _ = actlab_command("functions", "leaky_relu", "--json")
    record = json.loads(out)
    assert code == 0
    assert record == records[[r["name"] for r in records].index("leaky_relu")]
    assert record["parameters"] == {"negative_slope": {"default": 0.01, "trainable": False, "range": [None, None]}}
    assert {"title", "formula", "latex", "family", "kind", "year", "source", "aliases", "facts"} <= set(record)
    assert record["facts"] == catalogue["leaky_relu"].facts().to_dict()


@pytest.mark.parametrize(
    ("options", "inside", "outside"),
    [
        (["--family", "gating"], {"gelu", "silu", "mish"}, {"relu", "tanh"}),
        (["--family", "Error-Function"], {"serf"}, {"gelu"}),
        (["--smooth"], {"gelu", "tanh"}, {"relu", "step", "softmax"}),
        (["--monotone"], {"relu", "tanh", "step"}, {"gelu", "sine", "softmax"}),
        (["--search", "swish"], {"silu", "hard_swish", "e_swish"}, {"relu"}),
        (["--search", "torch.nn.Hardswish"], {"hard_swish"}, {"silu"}),
        (["--smooth", "--monotone", "--search", "dugas"], {"softplus"}, {"tanh"}),
    ],
)
def test_functions_are_chosen(actlab_command, options, inside, outside):
    code, out, err = actlab_command("functions", *options, "--json")
    names = {record["name"] for record in json.loads(out)}
    assert (code, err) == (0, "")
    assert inside <= names
    assert not outside & names
    code, out, _ = actlab_command("functions", *options)
    assert code == 0
    assert all(f" {name} " in out for name in inside)


@pytest.mark.parametrize(("name", "start"), [("g.png", b"\x89PNG"), ("g.svg", b"<?xml"), ("g.pdf", b"%PDF")])
def test_functions_are_drawn(actlab_command, tmp_path, name, start):
    assert actlab_command("functions", "gelu", "--plot", name) == (0, f"wrote {name}\n", "")
    assert (tmp_path / name).read_bytes().startswith(start)
    code, out, err = actlab_command("functions", "gelu", "--plot", name, "--json")
    assert (code, err, json.loads(out)["name"]) == (0, f"wrote {name}\n", "gelu")


def test_recipes_are_listed(actlab_command):
    code, out, err = actlab_command("recipes")
    assert (code, err) == (0, "")
    for name in RECIPES:
        assert name in out


def test_one_recipe_is_shown(actlab_command):
    code, out, err = actlab_command("recipes", "cifar10-lenet5")
    assert (code, err) == (0, "")
    text = " ".join(out.split())
    for part in ("cifar10: 60,000 samples of 32×32×3", "conv2 16 × 16 × 16 2,416", "total 697,046", "0.451 0.511"):
        assert part in text


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_as_a_file_is_the_same_study(actlab_command, monkeypatch, tmp_path, name):
    """What `recipes NAME --toml` prints, compared again, is the study that `compare NAME` runs."""
    code, out, err = actlab_command("recipes", name, "--toml")
    assert (code, err) == (0, "")
    (tmp_path / "s.toml").write_text(out, encoding="utf-8")
    asked = []

    def run(study, directory):
        asked.append((study, directory))
        raise KeyboardInterrupt

    monkeypatch.setattr("actlab.laboratory.run", run)
    assert actlab_command("compare", "s.toml")[0] == actlab_command("compare", name)[0] == 130
    assert asked[0] == asked[1]
    assert asked[0][0].identity == RECIPES[name].study.identity


def test_json_is_the_summary_and_nothing_else(finished):
    directory, done = finished
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == json.loads((directory / "summary.json").read_text(encoding="utf-8"))


SCHEMA = {"schema", "actlab", "study", "activations", "comparisons", "findings", "published", "throughput"}
ESTIMATE = {"mean", "median", "ci95", "values"}
THROUGHPUT = {
    "members",
    "steps",
    "net_steps_per_second",
    "samples_per_second",
    "train_seconds",
    "compile_seconds",
}


def test_the_summary_has_the_keys_that_programs_rely_on(finished):
    directory, _ = finished
    summary = json.loads((directory / "summary.json").read_text(encoding="utf-8"))
    assert set(summary) == SCHEMA | {
        "epoch",
        "complete",
        "notes",
        "headline",
        "next_steps",
        "contest",
        "contests",
        "tuning",
        "choices",
        "looks",
        "lead",
        "samples",
        "probe_samples",
        "majority",
        "metrics",
        "chance",
        "constant",
        "baseline",
        "best_set",
        "not_best",
        "not_best_new_data",
        "not_compared",
        "best_seeds",
    }
    assert summary["samples"] == {"train": 2000, "validation": 500, "test": 500}
    assert summary["majority"] == {"class": "negative", "test_accuracy": 0.5}
    assert {*summary["best_set"], *summary["not_best"], *summary["not_compared"]} == {
        entry["name"] for entry in summary["activations"]
    }
    assert (summary["schema"], summary["actlab"], summary["complete"]) == (1, version("actlab"), True)
    assert summary["study"]["seeds"] == [0, 1, 2, 3, 4, 5]
    assert [entry["name"] for entry in summary["activations"]] != []
    for entry in summary["activations"]:
        assert {"name", "members", "diverged", "test_accuracy", "test_loss", "train_loss", "learnt"} <= set(entry)
        # Sigmoid, tanh and relu learn nothing of themselves.
        assert entry["learnt"] == []
        assert (entry["members"], entry["diverged"]) == (6, 0)
        for metric in ("test_accuracy", "test_loss", "train_loss"):
            estimate = entry[metric]
            assert set(estimate) >= ESTIMATE
            assert len(estimate["values"]) == 6
            assert estimate["mean"] == pytest.approx(np.mean(estimate["values"]))
            assert estimate["ci95"][0] <= estimate["mean"] <= estimate["ci95"][1]
        waited = {"median", "reached", "ci95", "reached_ci95"}
        assert set(entry["epochs_to_target"]) == {"target", *waited}
        assert [set(milestone) for milestone in entry["milestones"]] == [{"name", *waited}] * 2
    means = [entry["test_accuracy"]["mean"] for entry in summary["activations"]]
    assert means == sorted(means, reverse=True)
    for row in summary["comparisons"]:
        assert {"a", "b", "metric", "difference", "ci95", "p", "p_holm"} <= set(row)
        assert {"ci95_simultaneous", "p_max_t", "told_apart", "ci95_new_data", "told_apart_new_data"} <= set(row)
    assert set(summary["throughput"]) == THROUGHPUT
    assert summary["throughput"]["members"] == 18
    assert summary["throughput"]["steps"] == 12 * 125


def test_a_table_and_where_the_report_lies(actlab_command, tmp_path):
    code, out, err = actlab_command("compare", "--task", "moons", "--activations", "relu,gelu", *TINY)
    assert (code, err) == (0, "")
    (directory,) = (tmp_path / "runs").iterdir()
    assert directory.name.startswith("moons-")
    for part in ("relu", "gelu", "accuracy", f"runs/{directory.name}/report.html", "summary.json"):
        assert part in out
    assert actlab.load(directory).study.network[-1].units == 1
    again = actlab_command("compare", directory / "study.toml", "--json", "--out", directory)
    already = (
        f"{directory} holds all 2 epochs of this study already, and nothing was trained; --restart trains it anew.\n\n"
    )
    assert again[::2] == (0, already)
    assert [entry["name"] for entry in json.loads(again[1])["activations"]]
    (directory / "report.html").unlink()
    shown = actlab_command("compare", "--task", "moons", "--activations", "relu,gelu", *TINY)
    assert shown == (0, already.replace(str(directory), str(directory.relative_to(tmp_path))) + out, "")
    assert (directory / "report.html").exists()


def test_names_of_studies_do_not_leave_the_directory_of_runs(actlab_command, tmp_path):
    (tmp_path / "s.toml").write_text('name = "../../up/and away"\ntask = "moons"\n', encoding="utf-8")
    assert actlab_command("compare", "s.toml", "--activations", "relu", *TINY)[0] == 0
    assert [path.name.rpartition("-")[0] for path in (tmp_path / "runs").iterdir()] == ["up-and-away"]


WITHOUT_JAX = """
import importlib.abc, sys
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {"jax", "jaxlib", "optax"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
"""


def test_a_report_is_made_again_without_jax(finished, tmp_path):
    directory, _ = finished
    done = in_a_process("report", directory, "--out", "again.html", cwd=tmp_path, code=WITHOUT_JAX)
    assert (done.returncode, done.stdout, done.stderr) == (0, "wrote again.html\n", "")
    assert (tmp_path / "again.html").read_bytes() == (directory / "report.html").read_bytes()
    summary = (directory / "summary.json").read_bytes()
    for name in ("report.html", "summary.json"):
        (directory / name).unlink()
    assert in_a_process("report", directory, cwd=tmp_path, code=WITHOUT_JAX).returncode == 0
    assert (directory / "report.html").read_bytes() == (tmp_path / "again.html").read_bytes()
    assert (directory / "summary.json").read_bytes() == summary


# Networks


def write_npz(path, shape=(4,), classes=3, samples=60, **changes):
    rng = np.random.default_rng(0)
    arrays = {"x_train": rng.normal(size=(samples, *shape)), "y_train": np.arange(samples) % classes}
    np.savez(path, **arrays | changes)


DENSE = '[[network]]\nlayer = "dense"\nunits = {}\n[[network]]\nlayer = "act"\n'
CONV = (
    '[[network]]\nlayer = "conv"\nfilters = {}\nkernel = 5\nactivation = {{layer = "act"}}\n'
    '[[network]]\nlayer = "max_pool"\n'
)
FLATTEN = '[[network]]\nlayer = "flatten"\n'
END = '[[network]]\nlayer = "dense"\nunits = 10\n'
LENET5 = CONV.format(6) + CONV.format(16) + CONV.format(120).rpartition("[[")[0] + FLATTEN + DENSE.format(84) + END


@pytest.mark.parametrize(
    ("shape", "layers", "published"),
    [
        ((784,), DENSE.format(512) + END, "407,050"),
        ((28, 28), FLATTEN + DENSE.format(512) * 6 + END, "1,720,330"),
        ((32, 32, 3), LENET5, "697,046"),
    ],
)
def test_the_summary_of_a_network_counts_as_published(actlab_command, tmp_path, shape, layers, published):
    write_npz(tmp_path / "data.npz", shape, 10, 100)
    (tmp_path / "s.toml").write_text('task = "data.npz"\nactivations = ["relu"]\n' + layers, encoding="utf-8")
    before = files(tmp_path)
    code, out, err = actlab_command("compare", "s.toml", "--summary")
    assert (code, err) == (0, "")
    assert out.split()[-2:] == ["total", published]
    assert files(tmp_path) == before, "nothing is trained"


def test_networks_that_differ_are_all_shown(actlab_command):
    code, out, _ = actlab_command("compare", "--summary", "--activations", "relu,gelu,prelu,maxout")
    assert code == 0
    for part in ("with relu, gelu:", "with prelu:", "with maxout:", "26,122", "26,378", "50,954"):
        assert part in out


# Settings in the place of the study's own


@pytest.fixture
def asked(actlab_command, monkeypatch):
    """What `compare` would run: study and keyword arguments of `laboratory.run`."""

    def ask(*arguments):
        found = []

        def run(study, directory, **options):
            found.append((study, options))
            raise KeyboardInterrupt

        monkeypatch.setattr("actlab.laboratory.run", run)
        code, out, err = actlab_command("compare", *arguments)
        assert (code, out, err) == (130, "", "actlab: stopped before an epoch was recorded.\n")
        return found[0]

    return ask


def test_settings_of_the_command_line_take_the_place_of_the_studys_own(asked):
    study, options = asked(
        *("mnist-mlp", "--batch", "64", "--optimiser", "sgd", "--set", "optimiser.momentum=0.9"),
        *("--set", "network.1.units=256", "--set", "match=parameters", "--init", "gain", "--memory", "4GiB"),
    )
    base = RECIPES["mnist-mlp"].study
    network = (base.network[0], actlab.Dense(256), *base.network[2:])
    assert study == base.model_copy(
        update={
            "batch": 64,
            "optimiser": SGD(momentum=0.9),
            "learning_rates": None,
            "network": network,
            "match": "parameters",
            "init": "gain",
        }
    )
    assert options == {"memory": 4 * 2**30}
    assert asked("mnist-mlp", "--restart")[1] == {"restart": True}


def test_settings_of_the_command_line_take_the_place_of_a_files_own(asked, tmp_path):
    (tmp_path / "s.toml").write_text('task = "moons"\nbatch = 7\nepochs = 9\n', encoding="utf-8")
    assert asked("s.toml", "--set", "batch=8")[0] == Study(task="moons", batch=8, epochs=9)
    assert asked("--task", "moons", "--set", "batch=8")[0] == Study(name="moons", task="moons", batch=8)


def test_the_rates_of_the_command_line_leave_the_published_one_as_a_condition(asked):
    study, options = asked("mnist-mlp", "--learning-rates", "auto")
    assert study.learning_rates == (0.0001, 0.000316, 0.001, 0.00316, 0.01)
    assert study.stated_rate == 0.001
    assert options == {}
    study, _ = asked("mnist-mlp", "--learning-rates", "0.01,0.1")
    assert (study.learning_rates, study.stated_rate) == ((0.01, 0.1), 0.001)


# A user's own data


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{a:.4f},{b:.4f},{'xyz'[i % 3]}" for i, (a, b) in enumerate(rng.normal(size=(60, 2)))]
    (tmp_path / "iris.csv").write_text("\n".join(["width,length,species", *rows]) + "\n", encoding="utf-8")
    return tmp_path / "iris.csv"


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_own_data_are_compared(actlab_command, tmp_path, table, kind):
    write_npz(tmp_path / "own.npz")
    chosen = ["--task", "iris.csv", "--target", "species"] if kind == "csv" else ["--task", "own.npz"]
    code, out, err = actlab_command("compare", *chosen, *TINY, "--activations", "relu, swish", "--out", "run", "--json")
    assert (code, err) == (0, "")
    assert sorted(entry["name"] for entry in json.loads(out)["activations"]) == ["relu", "silu"]
    study = actlab.load(tmp_path / "run").study
    assert study.name == ("iris" if kind == "csv" else "own")
    assert study.target == ("species" if kind == "csv" else None)
    assert study.network[-1].units == 3


@pytest.mark.filterwarnings("always::actlab.errors.ActlabWarning")
def test_a_table_without_a_header_is_compared_and_its_study_runs_again(actlab_command, refused, tmp_path, table):
    table.write_text(table.read_text(encoding="utf-8").partition("\n")[2], encoding="utf-8")
    command = ["compare", "--task", "iris.csv", "--target", "3", *TINY, "--activations", "relu"]
    code, _, err = actlab_command(*command, "--out", "found")
    assert code == 0
    assert err.startswith("actlab: iris.csv: the first row (")
    assert "is taken for data, the columns are named 1 to 3: --header yes if it names them.\n" in err
    assert actlab_command(*command, "--header", "no", "--out", "run")[0] == 0
    assert actlab.load(tmp_path / "found").study.digest == actlab.load(tmp_path / "run").study.digest
    recording = actlab.load(tmp_path / "run")
    assert recording.study.header == "no"
    assert recording.study.provenance.startswith("iris.csv, no header row, target column '3'")
    assert actlab_command("compare", "run/study.toml", "--out", "again")[0] == 0
    assert actlab.load(tmp_path / "again").study == recording.study
    sentence = refused("compare", "run/study.toml", "--header", "yes", "--target", "x", "--drop", "none")
    assert sentence.startswith("unknown column 'none': known: ")
    assert refused(*command, "--header", "maybe") == "header: 'yes' or 'no' is expected, got 'maybe'."


@pytest.mark.filterwarnings("always::actlab.errors.ActlabWarning")
def test_what_is_decided_of_the_data_is_part_of_the_study(actlab_command, refused, tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{i},{a:.4f},{b:.4f},{['007', '7', '8'][i % 3]}" for i, (a, b) in enumerate(rng.normal(size=(60, 2)))]
    (tmp_path / "own.csv").write_text("\n".join(["No,a b,c,code", *rows]) + "\n", encoding="utf-8")
    start = ["compare", "--task", "own.csv", "--target", "code"]
    assert "say --classes texts to keep them apart" in refused(*start)
    code, _, err = actlab_command(*start, "--classes", "texts", "--summary")
    assert (code, err) == (0, "actlab: own.csv: column 'No' counts the rows and is left out; --keep No trains on it.\n")
    decided = ["--classes", "texts", "--drop", "No", "--keep", "a b", "--keep", "c", "--header", "yes"]
    assert actlab_command(*start, *decided, *TINY, "--activations", "relu", "--out", "run")[0] == 0
    study = actlab.load(tmp_path / "run").study
    assert (study.classes, study.drop, study.keep, study.header) == ("texts", ("No",), ("a b", "c"), "yes")
    code, out, _ = actlab_command("compare", "run/study.toml", "--drop", "c", "--keep", "No", "--summary")
    assert code == 0
    assert "384" in out  # 2·128 weights and 128 biases of the first layer.
    write_npz(tmp_path / "own.npz", x_train=rng.uniform(0, 255, (60, 3, 8, 8)))
    start = ["compare", "--task", "own.npz", "--summary"]
    code, _, err = actlab_command(*start)
    assert code == 0
    assert "channels come first, pictures are 8×8; --layout channels-last says otherwise" in err
    assert "taken for pixels and divided by 255; --scale none takes them as they are" in err
    for scale in ("255", "none", "1e2"):
        assert actlab_command(*start, "--layout", "channels-first", "--scale", scale)[0] == 0
    for wrong, shown in (("half", "'half'"), ("-1", "-1.0"), ("nan", "nan"), ("1e99", "1e+99")):
        sentence = refused(*start, "--scale", wrong)
        assert sentence == f"scale: a number above 0, or 'none', is expected, got {shown}."
    sentence = refused("compare", "digits", "--scale", "255")
    assert sentence == (
        "scale 255.0 was given for 'digits', which is no file of arrays (.npz, .npy, .mat): leave it out."
    )


def test_data_that_changed_are_not_taken_for_those_of_the_study(actlab_command, refused, tmp_path):
    write_npz(tmp_path / "own.npz")
    assert actlab_command("compare", "--task", "own.npz", *TINY, "--activations", "relu", "--out", "run")[0] == 0
    write_npz(tmp_path / "own.npz", samples=61)
    sentence = refused("compare", "run/study.toml", "--out", "again")
    assert "the data of task 'own.npz' are not those of the study" in sentence
    sentence = refused("compare", "--task", "own.npz", *TINY, "--activations", "relu", "--out", "run")
    assert sentence == "run holds another study: it is left as it is; choose another directory with --out."


# Wrong input: names


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["compare", "--activations", "relu,gelo"], "unknown activation 'gelo': did you mean 'gelu'?"),
        (["functions", "gelo"], "unknown activation 'gelo': did you mean 'gelu'?"),
        (["functions", "elo(alpha=2)"], "unknown activation 'elo': did you mean 'elu'?"),
        (["functions", "elu(alpa=2)"], "elu has no parameter 'alpa'; did you mean 'alpha'?"),
        (["compare", "parabola"], "unknown recipe 'parabola': did you mean 'parabolas'?"),
        (["compare", "--task", "mnits"], "unknown task 'mnits': did you mean 'mnist'?"),
        (["compare", "--task", "iris.csv", "--target", "specis"], "unknown column 'specis': did you mean 'species'?"),
        (["compare", "desne.toml"], "desne.toml, line 2: unknown layer 'desne': did you mean 'dense'?"),
        (["compar"], "no such command 'compar'. Did you mean 'compare'?"),
        (["compare", "--seed", "3"], "no such option: --seed (Possible options: --seeds, --set, --sheet)."),
        (["compare", "mnist"], "mnist is no recipe but data: write actlab compare --task mnist."),
        (["compare", "iris.csv"], "iris.csv is no recipe but data: write actlab compare --task iris.csv."),
        (["compare", "iris.tsv"], "iris.tsv is no recipe but data: write actlab compare --task iris.tsv."),
    ],
)
def test_misspelt_names_come_with_the_nearest(refused, table, tmp_path, arguments, sentence):
    (tmp_path / "desne.toml").write_text('[[network]]\nlayer = "desne"\nunits = 3\n', encoding="utf-8")
    (tmp_path / "iris.tsv").write_text("width\tspecies\n", encoding="utf-8")
    assert refused(*arguments) == sentence


# Wrong input: values


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--seeds", "0"], "seeds: a number of seeds from 1 to 100,000 is expected, got 0."),
        (["--seeds", "-1"], "seeds: a number of seeds from 1 to 100,000 is expected, got -1."),
        (["--seeds", "ten"], "--seeds: a whole number or auto is expected, got 'ten'."),
        (["--seeds"], "option '--seeds' requires an argument."),
        (["--epochs", "0"], "epochs: 1 or more is expected, got 0."),
        (["--epochs", "1.5"], "--epochs: a whole number is expected, got '1.5'."),
        (
            ["--learning-rates", "fast"],
            "--learning-rates 'fast': auto, or numbers separated by commas are expected, as in 0.01,0.1.",
        ),
        (["--batch", "0"], "batch: 1 or more is expected, got 0."),
        (["--optimiser", "adm"], "unknown optimiser 'adm': did you mean 'adam'?"),
        (["--init", "gains"], "init: 'stated', 'gain' or 'critical' is expected, got 'gains'."),
        (["--memory", "4 gigs"], "--memory '4 gigs': a size is expected, as in 4GiB, 500MB or a number of bytes."),
        (["--memory", "-1GB"], "--memory '-1GB': a size is expected, as in 4GiB, 500MB or a number of bytes."),
        (
            ["--memory", "9" * 400],
            f"--memory '{'9' * 58}…: a size is expected, as in 4GiB, 500MB or a number of bytes.",
        ),
        (["--memory", "9" * 400 + ".5TiB"], f"--memory '{'9' * 58}…: a size is expected"),
        (["--set", "epochs"], "'epochs': KEY=VALUE is expected, as in epochs=5 or network.1.units=256."),
        (["--set", "epoch=3"], "epoch=3: unknown key 'epoch': did you mean 'epochs'?"),
        (["--set", "network.1.unit=3"], "network.1.unit=3: unknown key 'unit': did you mean 'units'?"),
        (["--set", "network.7.units=3"], "network.7.units=3: network has the entries 0 to 5, and so no 7."),
        (["--learning-rates", "0.1,0"], "learning_rates, entry 2: more than 0 is expected, got 0.0."),
        (["--learning-rates", "inf"], "learning_rates, entry 1: a finite number is expected, got inf."),
        (["--learning-rates", "0.1,0.10"], "learning_rates: 0.1 is named twice."),
        (["--activations", ","], "activations: a list with at least 1 entry is expected, got []."),
        (["--activations", "silu,swish"], "activations: 'silu' is named twice."),
        (["--activations", "relu,elu(alpha=2),ELU(alpha=2.0)"], "activations: 'elu(alpha=2)' is named twice."),
        (["--activations", "elu(alpa=2)"], "activations: elu has no parameter 'alpa'; did you mean 'alpha'?"),
        (
            ["--activations", "relu,elu(alpha=-2)"],
            "activations: elu: parameter 'alpha' must be a number in [0, inf]; it was given -2.",
        ),
        (["--activations", "relu,elu(2)"], "activations: 'elu(2)': parameter=number is expected, as in leaky_relu("),
        (["--activations", "my_nothing:f"], "activations: activation 'my_nothing:f' cannot be imported (No module"),
        (["--target", "a"], "target 'a' was given for 'digits', which is no table: leave it out."),
        (["digits", "parabolas"], "got unexpected extra argument(s) (parabolas)."),
        (["nowhere.toml"], "nowhere.toml: cannot be read as a study (No such file or directory)."),
        (["--task", "nowhere.npz", "--summary"], "nowhere.npz is no file: give the path of a table, of arrays"),
        (
            ["parabolas", "--task", "digits"],
            "8×8×1 → dense1: Dense takes vectors and got 8×8×1: put Flatten() before it.",
        ),
    ],
)
def test_wrong_values(refused, arguments, sentence):
    assert refused("compare", *arguments).startswith(sentence)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["report"], "missing argument 'DIR'."),
        (["recipes", "mnist-mpl"], "unknown recipe 'mnist-mpl': did you mean 'mnist-mlp'?"),
        (["recipes", "--toml"], "--toml prints one recipe: name it, as in actlab recipes digits --toml."),
        (["report", "nowhere"], "nowhere is no run directory: study.toml and study.db are expected in it."),
        (["functions", "gelu", "--plot", "g.xyz"], "g.xyz: a picture is written as .png, .svg or .pdf"),
        (["functions", "gelu", "--plot", "nowhere/g.png"], "nowhere/g.png: the picture cannot be written"),
        (["functions", "--frobnicate"], "no such option: --frobnicate."),
        (["functions", "--family", "gatting"], "unknown family 'gatting': did you mean 'gating'?"),
        (["functions", "--search", "zzz"], "no function meets all conditions: leave one out."),
        (["functions", "gelu", "--smooth"], "--smooth chooses among all functions: leave it out, or leave 'gelu' out."),
    ],
)
def test_wrong_values_of_the_other_commands(refused, arguments, sentence):
    assert refused(*arguments).startswith(sentence)


def test_a_report_that_cannot_be_written(refused, finished):
    directory, _ = finished
    assert refused("report", directory, "--out", "nowhere/r.html").startswith("nowhere/r.html: the report cannot be")


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ('task = "moons"\nepoch = 3', 2, "unknown key 'epoch': did you mean 'epochs'?"),
        ('task = "moons"\nepochs = "many"', 2, "epochs: a whole number is expected, got 'many'."),
        ('task = "moons"\n\nepochs = 0', 3, "epochs: 1 or more is expected, got 0."),
        ('[optimiser]\nname = "sgd"\nmomentum = 1.5', 3, "optimiser, momentum: less than 1 is expected, got 1.5."),
        (FLATTEN + DENSE.format(0), 5, "network, entry 2, units: more than 0 is expected, got 0."),
        ('[[milestones]]\nname = "a"\naccuracy = 2', 3, "milestones, entry 1, accuracy: 1 or less is expected, got 2."),
        ('activations = [\n  "relu",\n  "gelo",\n]', 3, "unknown activation 'gelo': did you mean 'gelu'?"),
    ],
)
def test_a_wrong_study_file_is_refused_with_key_and_line(refused, tmp_path, text, line, sentence):
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    assert refused("compare", "s.toml") == f"s.toml, line {line}: {sentence}"
    assert refused("compare", "s.toml", "--seeds", "3", "--summary") == f"s.toml, line {line}: {sentence}"


# Wrong input: data


def with_holes(kind):
    x = np.random.default_rng(0).normal(size=(60, 4))
    x[3, 1] = np.nan
    x[[7, 9], 2] = kind
    return x


@pytest.mark.parametrize(
    ("shape", "changes", "sentence"),
    [
        (
            (4,),
            {"x_train": with_holes(np.nan)},
            "3 of the 240 values of x_train are NaN or infinite in float32, the first at [3, 1]",
        ),
        ((4,), {"x_train": with_holes(-np.inf)}, "3 of the 240 values of x_train are NaN or infinite"),
        ((4,), {"y_train": np.arange(59) % 3}, "x_train holds 60 samples and y_train 59 labels"),
        ((4,), {"y_train": np.zeros(60, int)}, "y_train holds one class only (0)"),
        ((4,), {"y_train": np.arange(60) % 3 + 0.5}, "labels are not integers: y_train holds 0.5 at [0]"),
        ((4,), {"y_train": np.ones((60, 2), int)}, "and its row 0 is not one 1 among zeros"),
        ((4,), {"x_train": np.zeros((0, 4)), "y_train": np.zeros(0, int)}, "x_train is empty"),
        ((4,), {"x_train": np.zeros((60, 0))}, "x_train is empty"),
        ((4,), {"x_test": np.zeros((9, 3)), "y_test": np.arange(9) % 3}, "a sample of x_test has shape (3,)"),
        ((4,), {"x_tset": np.zeros((9, 4))}, "did you mean 'x_test'?"),
    ],
)
def test_wrong_arrays(refused, tmp_path, shape, changes, sentence):
    write_npz(tmp_path / "own.npz", shape, **changes)
    assert sentence in refused("compare", "--task", "own.npz", *TINY)


def test_arrays_cut_short(refused, tmp_path):
    write_npz(tmp_path / "own.npz")
    (tmp_path / "own.npz").write_bytes((tmp_path / "own.npz").read_bytes()[:-100])
    assert "own.npz cannot be read as a .npz file" in refused("compare", "--task", "own.npz", *TINY)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            ("0.1257", "inf"),
            "iris.csv, line 2: column 'width' holds an infinite number, one of 1: mend it, or leave",
        ),
        (("0.1257", "many"), "iris.csv, line 2: column 'width' holds 'many' among numbers (1 of 60 values are none)"),
        ((",x\n", "\n"), "iris.csv, line 2: 2 values where the header names 3 columns"),
    ],
)
def test_wrong_tables(refused, table, change, sentence):
    text = table.read_text(encoding="utf-8")
    assert change[0] in text
    table.write_text(text.replace(*change), encoding="utf-8")
    assert sentence in refused("compare", "--task", "iris.csv", "--target", "species")


def test_a_table_needs_a_target(refused, table):
    sentence = refused("compare", "--task", "iris.csv")
    assert sentence == (
        "iris.csv: no target was given: most likely it is 'species' (3 classes): say so, as in actlab compare --task "
        "iris.csv --target species, or name another one of width, length, species."
    )
    numbers = refused("compare", "--task", "iris.csv", "--target", "species", "--objective", "regression")
    assert "column 'species' holds categories" in numbers


@pytest.mark.parametrize(
    ("shape", "layers", "sentence"),
    [
        ((8, 8), DENSE.format(5) + END, "8×8×1 → dense1: Dense takes vectors and got 8×8×1"),
        ((4,), CONV.format(5) + FLATTEN + END, "4 → conv1: Conv takes images"),
        ((8, 8), CONV.format(5) * 4 + FLATTEN + END, "a window of 2×2 does not fit into images of 1×1"),
        ((8, 8), FLATTEN + DENSE.format(5), "but the task has 10 classes: end it with Dense(10)"),
        ((8, 8), FLATTEN + END, "the network has no open Act()"),
    ],
)
def test_samples_of_another_shape_than_the_network_takes(refused, tmp_path, shape, layers, sentence):
    write_npz(tmp_path / "own.npz", shape, 10)
    (tmp_path / "s.toml").write_text('task = "own.npz"\nactivations = ["relu"]\n' + layers, encoding="utf-8")
    assert sentence in refused("compare", "s.toml", *TINY)


# Data files that must be downloaded


MNIST_IMAGES = "train-images-idx3-ubyte.gz"
MNIST_SHA256 = "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"


def test_a_damaged_data_file_is_named_and_never_used(refused, monkeypatch, tmp_path):
    monkeypatch.setenv("ACTLAB_DATA", str(tmp_path))
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / MNIST_IMAGES).write_bytes(b"cut short")
    sentence = refused("compare", "--task", "mnist", *TINY)
    found = hashlib.sha256(b"cut short").hexdigest()
    wrong = f"has the wrong SHA-256 digest, expected {MNIST_SHA256}, found {found}: "
    assert sentence.startswith(f"{tmp_path}/mnist/{MNIST_IMAGES} {wrong}")


@pytest.fixture
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("ACTLAB_DATA", str(tmp_path))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("arguments", "folder", "files"),
    [
        (["--task", "fashion-mnist"], "fashion-mnist", [MNIST_IMAGES, "t10k-labels-idx1-ubyte.gz"]),
        (["mnist-mlp"], "mnist", [MNIST_IMAGES, "t10k-labels-idx1-ubyte.gz"]),
        (["cifar10-lenet5"], "cifar10", ["cifar-10-binary.tar.gz"]),
    ],
)
def test_without_a_network_it_says_what_to_put_where_and_what_needs_none(
    refused, offline, tmp_path, arguments, folder, files
):
    (tmp_path / folder).mkdir()
    sentence = refused("compare", *arguments, *TINY)
    assert f"{files[0]} could be had from no mirror" in sentence
    assert "cannot be reached" in sentence
    assert f"into {tmp_path}/{folder}" in sentence
    for file in files:
        assert file in sentence
    assert sentence.endswith("or go on without: actlab compare digits.")


# Directories that are not free


def test_a_directory_of_another_study_stays_as_it_is(actlab_command, finished):
    directory, _ = finished
    before = files(directory)
    code, out, err = actlab_command("compare", "parabolas", "--seeds", "6", "--epochs", "13", "--out", directory)
    assert (code, out) == (2, "")
    assert (
        err == f"actlab: {directory} holds another study: it is left as it is; choose another directory with --out.\n"
    )
    assert files(directory) == before


def test_a_directory_of_other_files_stays_as_it_is(refused, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("mine", encoding="utf-8")
    assert "mine exists and holds no recording" in refused("compare", "parabolas", *TINY, "--out", "mine")
    assert "thesis.tex exists and holds no recording" in refused("compare", *TINY, "--out", "mine/thesis.tex")
    assert "holds no recording" in refused("compare", *TINY, "--out", ".")


# A damaged recording, a full disk


def test_a_damaged_recording_is_not_reported(actlab_command, finished, tmp_path):
    directory, _ = finished
    segment = sorted(directory.glob("segments/epochs-*"))[1]
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        code, out, err = actlab_command("report", directory, "--out", "r.html")
    finally:
        segment.write_bytes(whole)
    assert (code, out) == (2, "")
    assert err.startswith(f"actlab: {segment} is damaged: SHA-256 is ")
    assert not (tmp_path / "r.html").exists()


LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))"


def test_a_full_disk_ends_a_run_with_a_sentence_and_keeps_what_was_written(tmp_path):
    """Files that may not grow beyond a limit stand for the disk: the database reaches it in the middle."""
    pytest.importorskip("resource")
    arguments = ["compare", "parabolas", "--seeds", "1", "--epochs", "150", "--out", "run"]
    done = in_a_process(*arguments, cwd=tmp_path, code=LIMITED.format(90_000))
    assert (done.returncode, done.stdout) == (2, "")
    kept = actlab.load(tmp_path / "run")
    assert 0 < kept.epochs < 150
    assert not kept.complete
    assert done.stderr.startswith(f"actlab: run: epochs {kept.epochs + 1} to ")
    assert done.stderr.endswith(f"up to epoch {kept.epochs} everything is kept.\n")
    assert done.stderr.count("\n") == 1
    assert len(kept.probes["flat_share"]) == kept.epochs + 1
    assert kept.weight_epochs == tuple(range(kept.epochs + 1))
    whole = in_a_process("report", "run", cwd=tmp_path)
    assert (whole.returncode, whole.stdout) == (0, "wrote run/report.html\nwrote run/summary.json\n")
    assert json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))["epoch"] == kept.epochs
    again = in_a_process(*arguments, cwd=tmp_path)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.startswith(f"actlab: run holds {kept.epochs} of 150 epochs of this study: --restart ")
    assert actlab.load(tmp_path / "run").epochs == kept.epochs


def test_a_disk_full_from_the_start_leaves_nothing(tmp_path):
    pytest.importorskip("resource")
    arguments = ["compare", "parabolas", *TINY, "--out", "runs/run"]
    done = in_a_process(*arguments, cwd=tmp_path, code=LIMITED.format(20_000))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("actlab: runs/run: the recording cannot be started (")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full, which is always full, is Linux's")
def test_output_that_cannot_be_written(tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "actlab", "recipes"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (2, "actlab: the output: No space left on device.\n")


def test_a_terminal_of_another_encoding_gets_what_it_can_show(tmp_path):
    done = in_a_process("functions", "gelu", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("GELU (gelu)")


def test_ctrl_c_before_anything_is_recorded(actlab_command, monkeypatch, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("actlab.laboratory.run", interrupted)
    assert actlab_command("compare") == (130, "", "actlab: stopped before an epoch was recorded.\n")
    monkeypatch.setattr("actlab.recording.load", interrupted)
    assert actlab_command("report", "run") == (130, "", "actlab: stopped.\n")
    assert list(tmp_path.iterdir()) == []


# Functions with parameters, and functions of one's own


def test_a_function_with_parameters_has_its_card(actlab_command):
    code, out, err = actlab_command("functions", "Leaky-ReLU(negative_slope=.20)", "--json")
    record = json.loads(out)
    assert (code, err, record["name"]) == (0, "", "leaky_relu(negative_slope=0.2)")
    assert record["parameters"]["negative_slope"]["default"] == 0.2
    assert "negative_slope = 0.2, in (−∞, ∞)" in actlab_command("functions", "leaky_relu(negative_slope=0.2)")[1]


def test_functions_with_parameters_and_of_ones_own_are_compared_and_chosen(actlab_command, tmp_path, request):
    request.addfinalizer(lambda: unregister("cli_functions:bent"))
    (tmp_path / "cli_functions.py").write_text("def bent(x, xp, by=1.0):\n    return x + by * xp.tanh(x)\n", "utf-8")
    names = ["threshold(threshold=0.1,value=-1)", "cli_functions:bent(by=0.5)", "tanh"]
    code, out, err = actlab_command(
        "compare", "--task", "moons", *TINY, "--activations", ", ".join(names), "--out", "run", "--json"
    )
    assert (code, err) == (0, "")
    assert {row["name"] for row in json.loads(out)["activations"]} == set(names)
    # In another process, where the function is not known until it is named.
    start = [sys.executable, "-m", "actlab"]

    def run(*arguments):
        done = subprocess.run([*start, *arguments], cwd=tmp_path, capture_output=True, text=True)
        return done.returncode, done.stderr

    assert run("figure", "run", "losses", "--activations", ",".join(names), "--out", "a.png") == (0, "")
    code, err = run("figure", "run", "losses", "--out", "b.png")
    assert code == 2
    assert "name it too (--activations 'cli_functions:bent(by=0.5)')" in err
    assert run("report", "run") == (0, "")
    assert run("compare", "run/study.toml", "--out", "run") == (0, "")


def test_a_run_directory_is_no_recipe(actlab_command, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "study.toml").write_text("", encoding="utf-8")
    code, _, said = actlab_command("compare", "mine")
    assert code == 2
    assert "mine is a run directory: actlab report mine shows it" in said


def test_a_memory_that_is_taken_already_is_refused_before_anything_is_compiled(actlab_command):
    code, _, said = actlab_command("compare", "digits", "--memory", "5")
    assert code == 2
    assert "a memory of 5 B is too small" in said
    assert "before anything is trained" in said
