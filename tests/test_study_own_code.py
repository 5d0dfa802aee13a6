"""Functions with parameters, and functions of one's own by "module:attribute", in studies and their files."""

from __future__ import annotations

import sys
import warnings

import pytest

import actlab
from actlab.errors import ActlabWarning, InvalidRecording, InvalidStudy, UnknownName
from actlab.functions import catalogue, unregister
from actlab.layers import Act, Dense
from actlab.recording.directory import refuse_others
from actlab.study import Study, from_toml
from actlab.study.changes import changed
from actlab.views.paper.methods import methods

TEXT = "def wavy(x, xp, frequency=1.0):\n    return x + xp.sin(frequency * x)\n"
WAVY = "wavy_functions:wavy"


def forget():
    """Leave the module of one's own as in a process that has not imported it."""
    sys.modules.pop("wavy_functions", None)
    for name in [name for name in catalogue if name.startswith("wavy_functions:")]:
        unregister(name)


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "wavy_functions.py"
    path.write_text(TEXT, encoding="utf-8")
    yield path
    forget()


def rewrite(module):
    """Another text of another length, in a process that has not imported it yet."""
    module.write_text(TEXT + "# Changed since.\n", encoding="utf-8")
    forget()


def test_activations_are_known_by_one_name():
    study = Study(activations="relu, Leaky-ReLU(negative_slope=.20),elu( alpha = 1.0 ),threshold(value=-3,threshold=2)")
    assert study.activations == (
        "relu",
        "leaky_relu(negative_slope=0.2)",
        "elu",
        "threshold(threshold=2,value=-3)",
    )
    same = Study(activations=list(study.activations))
    assert (same, same.identity) == (study, study.identity)
    assert study.own_functions == ()
    assert study.source_digests is None


def test_a_file_holds_them(tmp_path):
    layers = [Dense(4, activation="elu(alpha=0.5)"), Act(), Dense(1)]
    study = Study(activations=["relu", "leaky_relu(negative_slope=0.2)"], network=layers, learning_rates=[0.1, 0.2])
    rates = {"stated": dict.fromkeys(study.activations, 0.1)}
    study = study.model_copy(update={"chosen_rates": rates})
    (tmp_path / "study.toml").write_text(study.to_toml(), encoding="utf-8")
    assert from_toml(tmp_path / "study.toml") == study
    assert from_toml(tmp_path / "study.toml", recorded=True) == study


@pytest.mark.parametrize(
    ("activations", "words"),
    [
        ('["relu", "elu(alpha=2)", "ELU(alpha=2.0)"]', r"line 1: activations: 'elu\(alpha=2\)' is named twice\."),
        ('["elu", "elu(alpha=1)"]', "activations: 'elu' is named twice"),
        ('["elu(alpa=2)"]', r"activations: elu has no parameter 'alpa'; did you mean 'alpha'\?$"),
        ('["elu(alpha=-2)"]', r"activations: elu: parameter 'alpha' must be a number in \[0, inf\]; it was given -2\."),
        ('"relu,elu(2)"', r"activations: 'elu\(2\)': parameter=number is expected"),
        ('["wavy_nowhere:f"]', "activations: activation 'wavy_nowhere:f' cannot be imported"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, activations, words):
    path = tmp_path / "study.toml"
    path.write_text(f"activations = {activations}\n", encoding="utf-8")
    with pytest.raises(InvalidStudy, match=words):
        from_toml(path)


def test_a_misspelt_name_has_its_line_too(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('epochs = 3\nactivations = ["relu",\n"leky_relu(negative_slope=0.2)"]\n', encoding="utf-8")
    with pytest.raises(InvalidStudy, match=r"line 3: unknown activation 'leky_relu': did you mean 'leaky_relu'"):
        from_toml(path)


def test_ones_own_is_recorded_by_the_digest_of_its_source(module):
    study = Study(activations=["relu", WAVY, f"{WAVY}(frequency=2)"])
    digest = catalogue[WAVY].source_digest
    assert study.activations == ("relu", WAVY, f"{WAVY}(frequency=2)")
    assert study.source_digests == {WAVY: digest}
    assert study.own_functions == ()
    assert changed(study, {"activations": "relu"}).source_digests is None
    assert changed(study, {"epochs": 3}).source_digests == {WAVY: digest}


def test_fixed_functions_of_layers_are_imported_too(module, tmp_path):
    layers = [{"layer": "dense", "units": 3, "activation": WAVY}, {"layer": "act"}, {"layer": "dense", "units": 1}]
    study = Study(activations="relu", network=layers)
    assert list(study.source_digests or ()) == [WAVY]
    (tmp_path / "study.toml").write_text(study.to_toml(), encoding="utf-8")
    forget()
    with pytest.raises(UnknownName):
        Act(WAVY)
    assert from_toml(tmp_path / "study.toml") == study


def test_its_file_runs_again_and_says_when_the_source_changed(module, tmp_path):
    study = Study(activations=["relu", WAVY])
    path = tmp_path / "study.toml"
    path.write_text(study.to_toml(), encoding="utf-8")
    forget()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert from_toml(path) == study
    rewrite(module)
    with pytest.warns(ActlabWarning, match="the source of 'wavy_functions:wavy' is no longer the one that the study"):
        now = from_toml(path)
    assert now.identity != study.identity == from_toml(path, recorded=True).identity


def test_reading_a_recording_imports_nothing(module, tmp_path):
    (tmp_path / "study.toml").write_text(Study(activations=["relu", WAVY]).to_toml(), encoding="utf-8")
    forget()
    study = from_toml(tmp_path / "study.toml", recorded=True)
    assert study.activations == ("relu", WAVY)
    assert "wavy_functions" not in sys.modules
    assert WAVY not in catalogue


def test_a_directory_of_another_source_is_another_study(module, tmp_path):
    study, run = Study(name="mine", activations=["relu", WAVY]), tmp_path / "run"
    run.mkdir()
    (run / "study.toml").write_text(study.to_toml(), encoding="utf-8")
    refuse_others(run, study)
    rewrite(module)
    now = Study(name="mine", activations=["relu", WAVY])
    assert now.identity != study.identity
    with pytest.raises(InvalidRecording, match=r"run holds this study with another source of 'wavy_functions:wavy':"):
        refuse_others(run, now)
    with pytest.raises(InvalidRecording, match="run holds another study: it is left as it is"):
        refuse_others(run, changed(now, {"epochs": 3}))


def test_a_run_keeps_the_source_and_is_not_drawn_with_another(module, tmp_path):
    settings = {"task": "moons", "seeds": 1, "epochs": 1, "network": [Dense(3), Act(), Dense(1)]}
    recording = actlab.run(Study(activations=["tanh", WAVY], **settings), tmp_path / "run")
    card = recording.functions[WAVY]
    assert (card["source_code"], card["source_digest"]) == (TEXT, catalogue[WAVY].source_digest)
    assert "source_code" not in recording.functions["tanh"]
    assert f"{WAVY} is code of our own, in a file whose SHA-256" in methods(recording)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert f'"{WAVY}": (x) =>' in page
    forget()
    opened = actlab.load(tmp_path / "run")
    with pytest.raises(InvalidRecording, match=r"names 'wavy_functions:wavy', code of a user's own .* name it too"):
        opened.network(WAVY)
    actlab.report(opened, tmp_path / "again.html")
    assert "wavy_functions" not in sys.modules
    rewrite(module)
    actlab.functions.import_activation(WAVY)
    with pytest.raises(InvalidRecording, match="was made with another source of 'wavy_functions:wavy'"):
        opened.network(WAVY)
