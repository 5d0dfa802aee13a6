"""The README's examples run as they stand, in order, in one folder."""

from __future__ import annotations

import dataclasses
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from actlab.functions import catalogue
from actlab.statistics.findings.codes import CODES
from actlab.tasks import Reading

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```(python|console)\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("readme")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 4))
    # Something to learn, so that a rate between the others is the best one and no further ones are looked for.
    np.savez(path / "mine.npz", x_train=x, y_train=(x @ [1.0, -1.0, 0.5, 0.0] > 0).astype(int) + (x[:, 3] > 1))
    (path / "my_functions.py").write_text(next(text for _, text in BLOCKS if text.startswith("def wavy")), "utf-8")
    return path


def commands(language, text):
    """What to start for a block: the Python of it, or each of its command lines."""
    if language == "python":
        return [[sys.executable, "-W", "error", "-c", text]]
    lines = [shlex.split(line.removeprefix("$ ")) for line in text.splitlines() if line.startswith("$ ")]
    assert all(line[0] == "actlab" for line in lines)
    return [[sys.executable, "-W", "error", "-m", "actlab", *line[1:]] for line in lines]


@pytest.mark.parametrize(("language", "text"), BLOCKS, ids=[text.strip().splitlines()[0][:50] for _, text in BLOCKS])
def test_every_example_of_the_readme_runs(language, text, folder):
    """A process for each command, as they are typed: a block of several takes half a minute."""
    for command in commands(language, text):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        # A watch tells what is wrong with the model of its example.
        assert done.stderr == "" or ("actlab.watch(" in text and "[softmax_twice]" in done.stderr)


NETWORKS = (README.parent / "docs" / "own-networks.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    re.findall(r"```python\n(.*?)```", NETWORKS, flags=re.DOTALL),
    ids=["jax", "tokens", "nnx", "equinox", "torch"],
)
def test_networks_of_plain_jax_flax_equinox_and_pytorch_run(text, folder):
    done = subprocess.run([sys.executable, "-W", "error", "-c", text], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "hidden" in done.stdout or "Highest mean" in done.stdout or "is best" in done.stdout


LEARNS_NOT = (README.parent / "docs" / "network-does-not-learn.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *zip(
            re.findall(r"```python\n(.*?)```", LEARNS_NOT, flags=re.DOTALL),
            ["no_function", "report.html", "vanishing_signal"],
            strict=True,
        )
    ],
    ids=["no function", "dead units", "before training"],
)
def test_a_network_that_does_not_learn_is_told_why(text, said, tmp_path):
    done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    if "runs/mine" in text:
        assert "[dead_units]" in done.stderr
        ended = subprocess.run(
            [sys.executable, "-m", "actlab", "diagnose", "runs/mine"], cwd=tmp_path, capture_output=True
        )
        assert ended.returncode == 1


def test_codes_by_symptom_are_those_of_findings():
    table = LEARNS_NOT.partition("## 2.")[2].partition("Each code")[0]
    rows = [
        line.rpartition("| ")[0].rpartition("|")[2] + line.rsplit("|", 2)[1]
        for line in table.splitlines()
        if "`" in line
    ]
    codes = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    assert len(codes) > 15
    assert codes <= set(CODES)


def test_what_can_be_decided_of_a_file_is_told():
    for field in dataclasses.fields(Reading):
        assert f"`--{field.name} " in README.read_text(encoding="utf-8")


def test_pictures_and_pages_that_the_readme_names_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8")):
        assert (README.parent / target).is_file(), target


FUNCTIONS = README.parent / "docs" / "functions"


def test_every_function_has_its_page_and_picture():
    index = (FUNCTIONS / "README.md").read_text(encoding="utf-8")
    for name, activation in catalogue.items():
        page = (FUNCTIONS / f"{name}.md").read_text(encoding="utf-8")
        assert activation.formula.plain in page
        assert activation.source in page
        assert f"{name}.svg" in index
        assert (FUNCTIONS / f"{name}.svg").is_file()
    assert {path.stem for path in FUNCTIONS.iterdir()} == {*catalogue, "README"}


def test_the_tables_name_every_function():
    exports = (README.parent / "docs" / "exports.md").read_text(encoding="utf-8")
    exactness = (README.parent / "docs" / "exactness.md").read_text(encoding="utf-8")
    for name, activation in catalogue.items():
        assert activation.kind == "grouping" or f"| `{name}` | value |" in exactness
        assert f"| `{name}` |" in exports
