"""Studies: what they accept, what they refuse and where, and that a file holds all of them."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import numpy as np
import pytest

from actlab.errors import InvalidNetwork, InvalidStudy, UnknownName
from actlab.layers import Act, Conv, Dense, Dropout, Flatten, MaxPool, Residual
from actlab.recipes import RECIPES
from actlab.study import (
    DEFAULT_ACTIVATIONS,
    SGD,
    Adam,
    AdamW,
    Milestone,
    RMSProp,
    Study,
    complete,
    from_toml,
)
from actlab.study.file import TomlLines
from actlab.tasks import Reading, load
from actlab.tasks.task import build

EVERY_LAYER = (
    Conv(6, 5, padding="valid", stride=2, init="he_normal", activation="tanh"),
    MaxPool(3, stride=1),
    Conv(4, activation=Act(per_unit=False), bias=False),
    Flatten(),
    Dropout(0.25),
    Dense(12, activation=Act("prelu")),
    Act(),
    Dense(3, init="normal(0.05)", bias=False),
)


def data(shape=(4,), classes=3, samples=30):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(samples, *shape)).astype(np.float32), np.arange(samples) % classes
    return build("made up", (x, y), (x, y), (x, y), provenance="made up")


def read_back(study: Study, folder: Path) -> Study:
    path = folder / "study.toml"
    path.write_text(study.to_toml(), encoding="utf-8")
    return from_toml(path)


# Files


@pytest.mark.parametrize(
    "study",
    [
        Study(),
        Study(task="a.csv", target="3", header="no", classes="texts", keep=["1", "2"], drop="4"),
        Study(task="a.npz", layout="channels-first", scale=255),
        Study(task="a.npz", layout="channels-last", scale="none"),
        Study(task="a.mat", layout="samples-last"),
        Study(task="a.npy", layout="tokens"),
        Study(task="a folder", size=48),
        Study(name="β “quoted” \\ \n", task="a folder/my file.csv", target="klass #1", task_seed=7),
        Study(network=EVERY_LAYER, activations=["prelu", "maxout"], match="parameters"),
        Study(optimiser="rmsprop", learning_rates=[0.1, 1e-5, 3], seeds=[5, 0, 2**32 - 1]),
        Study(optimiser=SGD(momentum=0.9), learning_rates=0.05, seeds=1, epochs=1, batch=1, probe_samples=2),
        Study(optimiser=Adam(beta1=0.5, beta2=0, epsilon=1e-3)),
        Study(optimiser=AdamW(weight_decay=0)),
        Study(optimiser=RMSProp(decay=0.99)),
        Study(milestones=[Milestone(name="a", label=0), Milestone(name="b", accuracy=0.5)]),
        *(recipe.study for recipe in RECIPES.values()),
    ],
    ids=lambda study: study.name[:9],
)
def test_a_file_holds_all_of_a_study(study, tmp_path):
    again = read_back(study, tmp_path)
    assert again == study
    assert again.identity == study.identity
    assert again.to_toml() == study.to_toml()


def test_a_completed_study_survives_the_way_through_a_file(tmp_path):
    completed = complete(Study(task="moons", activations="relu"), load("moons"))
    assert completed.digest
    assert read_back(completed, tmp_path) == completed
    assert complete(completed, load("moons")) == completed


def test_the_identity_is_that_of_the_settings():
    assert Study(seeds=3).identity == Study(seeds=[0, 1, 2]).identity
    assert Study(activations="swish").identity == Study(activations=["silu"]).identity
    assert Study(optimiser="adam").identity == Study(optimiser=Adam()).identity
    changes = [{"seeds": 11}, {"epochs": 41}, {"optimiser": Adam(beta1=0.8)}, {"task_seed": 1}, {"name": "b"}]
    assert len({Study(**change).identity for change in [{}, *changes]}) == 1 + len(changes)


def test_what_is_not_decided_of_the_data_is_not_written():
    # The digest of a study file as it was before there was anything to decide.
    study = Study(task="a.csv", target="b", seeds=3)
    assert study.identity == "668c319a9dfb569d81d6f075213043684a9a465a0ddb552075373d171f35a678"
    assert study.reading == Reading()
    assert Study(task="a.csv", target="b", seeds=3, header="yes").identity != study.identity


def test_defaults_are_the_digits_comparison():
    study = Study()
    assert (study.task, study.activations, study.seeds) == ("digits", DEFAULT_ACTIVATIONS, tuple(range(10)))
    assert (study.epochs, study.batch, study.optimiser, study.match) == (40, 32, Adam(), "units")
    assert (study.network, study.learning_rates, study.tuning_seeds, study.digest) == (None, None, (), None)
    assert (study.validation, study.init, study.stated_rate, study.chosen_rates) == ("held-out", "stated", None, None)


def test_one_line_of_a_file_is_enough(tmp_path):
    (tmp_path / "a.toml").write_text('task = "moons"\n', encoding="utf-8")
    assert from_toml(tmp_path / "a.toml") == Study(task="moons")


@pytest.mark.parametrize(("seeds", "tuning"), [(4, (4, 5, 6)), ([9, 2], (10, 11, 12))])
def test_several_rates_are_chosen_on_seeds_of_their_own(seeds, tuning):
    assert Study(seeds=seeds, learning_rates=[0.1, 0.01]).tuning_seeds == tuning
    assert Study(seeds=seeds, learning_rates=[0.1]).tuning_seeds == ()
    assert Study(seeds=seeds, learning_rates=[0.1, 0.01], tuning_seeds=[77]).tuning_seeds == (77,)


@pytest.mark.parametrize(
    ("settings", "rates"),
    [
        ({}, [0.0001, 0.000316, 0.001, 0.00316, 0.01]),
        ({"optimiser": "sgd"}, [0.005, 0.0158, 0.05, 0.158, 0.5]),
        ({"optimiser": {"name": "sgd", "momentum": 0.9}}, [0.005, 0.0158, 0.05, 0.158, 0.5]),
        ({"optimiser": SGD()}, [0.005, 0.0158, 0.05, 0.158, 0.5]),
        ({"stated_rate": 0.02}, [0.002, 0.00632, 0.02, 0.0632, 0.2]),
    ],
    ids=str,
)
def test_rates_of_ones_own_accord_lie_around_the_stated_or_the_usual_one(settings, rates):
    study = Study(learning_rates="auto", **settings)
    assert list(study.learning_rates) == rates
    assert study.tuning_seeds == (10, 11, 12)
    assert study.stated_rate == settings.get("stated_rate")
    ratios = np.divide(study.learning_rates[1:], study.learning_rates[:-1])
    np.testing.assert_allclose(ratios, math.sqrt(10), rtol=3e-3)


def test_what_was_chosen_is_kept_and_does_not_make_another_study(tmp_path):
    asked = Study(activations=["relu", "tanh"], learning_rates=[0.1, 0.01], stated_rate=0.1, init="gain")
    chosen = {"stated": {"relu": 0.1, "tanh": 0.01}, "gain": {"relu": 0.3, "tanh": 0.1}}
    run = asked.model_copy(update={"chosen_rates": chosen})
    assert run.identity == asked.identity
    (tmp_path / "a.toml").write_text(run.to_toml(), encoding="utf-8")
    assert from_toml(tmp_path / "a.toml") == run
    assert asked.model_copy(update={"init": "critical"}).identity != asked.identity


# What is refused: the file, the line, the sentence

NETWORK = '[[network]]\nlayer = "flatten"\n\n[[network]]\n'
REFUSED = [
    ("epoch = 3", 1, "unknown key 'epoch': did you mean 'epochs'?"),
    ('task = "moons"\n\n"learning rate" = 3', 3, "unknown key 'learning rate': did you mean 'learning_rates'?"),
    ("# epochs = 1\nepochs = 0", 2, "epochs: 1 or more is expected, got 0."),
    ("epochs = 2.0", 1, "epochs: a whole number is expected, got 2.0."),
    ("epochs = true", 1, "epochs: a whole number is expected, got True."),
    ('epochs = "many"', 1, "epochs: a whole number is expected, got 'many'."),
    ("batch = -1", 1, "batch: 1 or more is expected, got -1."),
    ("task = 3", 1, "task: text is expected, got 3."),
    ('task = ""', 1, "task: some text is expected, got ''."),
    ("task_seed = -1", 1, "task_seed: 0 or more is expected, got -1."),
    ("seeds = 0", 1, "seeds: a number of seeds from 1 to 100,000 is expected, got 0."),
    ("seeds = 99999999999", 1, "seeds: a number of seeds from 1 to 100,000 is expected, got 99999999999."),
    ("seeds = []", 1, "seeds: a list with at least 1 entry is expected, got []."),
    ("seeds = [0,\n 1,\n 0]", 1, "seeds: 0 is named twice."),
    ("seeds = [\n 0,\n -2,\n]", 3, "seeds, entry 2: 0 or more is expected, got -2."),
    ('seeds = "ten"', 1, "seeds: a whole number, or a list of them, is expected, got 'ten'."),
    ("seeds = 2.5", 1, "seeds: a whole number, or a list of them, is expected, got 2.5."),
    ("seeds = [1]\ntuning_seeds = [1]", 1, "seeds and tuning_seeds share 1: the report must not use a seed of tuning."),
    ('learning_rates = [0.1, 0.2]\nseeds = ["a"]', 2, "seeds, entry 1: a whole number is expected, got 'a'."),
    ("activations = 3", 1, "activations: a list is expected, got 3."),
    ("activations = []", 1, "activations: a list with at least 1 entry is expected, got []."),
    ('activations = ["relu", 3]', 1, "activations, entry 2: text is expected, got 3."),
    ('activations = ["silu", "swish"]', 1, "activations: 'silu' is named twice."),
    ('name = "reul"\nactivations = [\n "relu",\n "reul",\n]', 4, "unknown activation 'reul': did you mean 'relu'?"),
    ('name = "reul"\nactivations = "relu, reul"', 2, "unknown activation 'reul': did you mean 'relu'?"),
    ("stated_rate = 0.1", 1, "stated_rate stands beside several learning_rates: leave it out, or give several."),
    (
        "learning_rates = [0.1]\n[chosen_rates.stated]\nrelu = 0.1",
        1,
        "chosen_rates stands beside several learning_rates: leave it out, or give several.",
    ),
    (
        'learning_rates = [0.1, 0.2]\nactivations = ["relu", "elu"]\n[chosen_rates.stated]\nrelu = 0.1',
        1,
        "chosen_rates lacks some of the activations: leave it out, and they are chosen anew.",
    ),
    (
        'learning_rates = [0.1, 0.2]\nactivations = ["relu"]\ninit = "gain"\n[chosen_rates.stated]\nrelu = 0.1',
        1,
        "chosen_rates lacks some of the activations: leave it out, and they are chosen anew.",
    ),
    ('stated_rate = "x"\nlearning_rates = "auto"', 1, "stated_rate: a number is expected, got 'x'."),
    (
        'learning_rates = "automatic"',
        1,
        "learning_rates: 'auto', a number or a list of numbers is expected, got 'automatic'.",
    ),
    ('init = "he"', 1, "init: 'stated', 'gain' or 'critical' is expected, got 'he'."),
    ('validation = "held"', 1, "validation: 'held-out' or 'test' is expected, got 'held'."),
    ("learning_rates = 0", 1, "learning_rates: more than 0 is expected, got 0."),
    ("learning_rates = [0.1, inf]", 1, "learning_rates, entry 2: a finite number is expected, got inf."),
    ('learning_rates = ["0.1"]', 1, "learning_rates, entry 1: a number is expected, got '0.1'."),
    ("learning_rates = [0.1, 0.1]", 1, "learning_rates: 0.1 is named twice."),
    ('header = "maybe"', 1, "header: 'yes' or 'no' is expected, got 'maybe'."),
    ('classes = "text"', 1, "classes: 'texts', 'numbers' or 'fold' is expected, got 'text'."),
    ("drop = []", 1, "drop: a list with at least 1 entry is expected, got []."),
    ("keep = [3]", 1, "keep, entry 1: text is expected, got 3."),
    ("scale = 0", 1, "scale: a number above 0, or 'none', is expected, got 0."),
    ('scale = "255"', 1, "scale: a number above 0, or 'none', is expected, got '255'."),
    (f"scale = 0x{'f' * 5000}", 1, "scale: a number above 0, or 'none', is expected, got 0xfff"),
    (
        'layout = "last"',
        1,
        "layout: 'channels-first', 'channels-last', 'samples-first', 'samples-last', 'sequences' or 'tokens' is",
    ),
    ('match = "unit"', 1, "match: 'units' or 'parameters' is expected, got 'unit'."),
    ('name = "adm"\noptimiser = "adm"', 2, "unknown optimiser 'adm': did you mean 'adam'?"),
    ("optimiser = 3", 1, "optimiser: a table is expected, got 3."),
    ("[optimiser]\nmomentum = 0.5", 1, "optimiser, name is missing."),
    (
        'epochs = 3\n[optimiser]\nname = "sgd"\nmomentum = 1.5',
        4,
        "optimiser, momentum: less than 1 is expected, got 1.5.",
    ),
    ('optimiser.name = "sgd"\noptimiser.momentum = nan', 2, "optimiser, momentum: less than 1 is expected, got nan."),
    (
        '[optimiser]\nname = "sgd"\nmomentun = 0.5',
        3,
        "optimiser: unknown key 'momentun': did you mean 'momentum'?",
    ),
    ('optimiser = {name = "adam", epsilon = 0}', 1, "optimiser, epsilon: more than 0 is expected, got 0."),
    (NETWORK + "units = 3", 4, "network, entry 2, layer is missing."),
    (NETWORK + 'layer = "dense"', 4, "network, entry 2, units is missing."),
    (NETWORK + 'layer = "dense"\nunits = 0', 6, "network, entry 2, units: more than 0 is expected, got 0."),
    (NETWORK + 'layer = "dense"\nunit = 3', 6, "network, entry 2: unknown key 'unit': did you mean 'units'?"),
    (NETWORK + 'layer = "desne"\nunits = 3', 5, "unknown layer 'desne': did you mean 'dense'?"),
    (
        NETWORK + 'layer = "dense"\nunits = 3\ninit = "he_norml"',
        7,
        "unknown initialiser 'he_norml': did you mean 'he_normal'?",
    ),
    (
        NETWORK + 'layer = "dense"\nunits = 3\nactivation = "relv"',
        7,
        "unknown activation 'relv': did you mean 'relu'?",
    ),
    (NETWORK + 'layer = "act"\nfunction = "relv"', 6, "unknown activation 'relv': did you mean 'relu'?"),
    (NETWORK + 'layer = "dropout"\nrate = 1.0', 6, "network, entry 2, rate: less than 1 is expected, got 1.0."),
    (
        NETWORK + 'layer = "conv"\nfilters = 3\npadding = "sane"',
        7,
        "network, entry 2, padding: 'same' or 'valid' is expected, got 'sane'.",
    ),
    (
        'network = [\n {layer = "dropout", rate = 0.5},\n {layer = "dropout", rate = 1.5},\n]',
        3,
        "network, entry 2, rate: less than 1 is expected, got 1.5.",
    ),
    ('network = "dense"', 1, "network: a list is expected, got 'dense'."),
    ("network = [3]", 1, "network, entry 1: a table is expected, got 3."),
    ("network = []", 1, "network: a list with at least 1 entry is expected, got []."),
    (
        '[[milestones]]\nname = "a"\n[[milestones]]\nname = "b"\naccuracy = 2',
        5,
        "milestones, entry 2, accuracy: 1 or less is expected, got 2.",
    ),
    ('[[milestones]]\nname = "a"\n\n[[milestones]]', 4, "milestones, entry 2, name is missing."),
    ('[[milestones]]\nname = "a"\nlable = 1', 3, "milestones, entry 1: unknown key 'lable': did you mean 'label'?"),
    ('self = "a"', 1, "unknown key 'self'"),
]


@pytest.mark.parametrize(("text", "line", "sentence"), REFUSED, ids=[text for text, _, _ in REFUSED])
def test_a_wrong_file_is_refused_with_key_and_line(tmp_path, text, line, sentence):
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidStudy) as caught:
        from_toml(path)
    assert str(caught.value).startswith(f"{path}, line {line}: {sentence}")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"epochs = 3\nepochs = 4\n", "line 2"),
        (b"task = digits\n", "line 1"),
        (b"\xff\xfe", "utf-8"),
        (None, "No such file"),
    ],
)
def test_files_that_are_no_toml(tmp_path, content, reason):
    path = tmp_path / "wrong.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidStudy, match=reason) as caught:
        from_toml(path)
    assert str(caught.value).startswith(f"{path}: cannot be read as a study")


def nested(depth):
    return f"""network = [{'{layer = "residual", layers = [' * depth}{{layer = "act"}}{"]}" * depth}]"""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"epochs = {'9' * 5000}", ": cannot be read as a study (it holds a whole number of more than 4,300 digits)."),
        (f"epochs = 0x{'f' * 5000}", ", line 1: epochs: less than 2147483648 is expected, got 0xfff"),
        (f"seeds = 0x{'f' * 5000}", ", line 1: seeds: a number of seeds from 1 to 100,000 is expected, got 0xfff"),
        (f"seeds = [0x{'f' * 5000}, 1]", ", line 1: seeds, entry 1: less than 4294967296 is expected, got 0xfff"),
        (f"seeds = {'[' * 1000}{']' * 1000}", ": cannot be read as a study (lists or tables lie too deep"),
        (f"optimiser = {'{a = ' * 1000}1{'}' * 1000}", ": cannot be read as a study (lists or tables lie too deep"),
        (nested(400), ": cannot be read as a study (lists or tables lie too deep"),
        (nested(60), ", line 1: network: residual blocks lie more than 50 deep within each other: put them one"),
    ],
    ids=lambda text: text[:20],
)
def test_what_python_cannot_hold_is_refused_in_a_short_sentence(tmp_path, text, sentence):
    path = tmp_path / "wrong.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidStudy) as caught:
        from_toml(path)
    assert str(caught.value).startswith(f"{path}{sentence}")
    assert len(str(caught.value)) < len(str(path)) + 200


def test_blocks_within_blocks_may_be_many_but_not_endless(tmp_path):
    (tmp_path / "deep.toml").write_text(nested(50), encoding="utf-8")
    assert read_back(from_toml(tmp_path / "deep.toml"), tmp_path).network[0].layer == "residual"
    layer = Act()
    for _ in range(400):
        layer = Residual([layer])
    with pytest.raises(InvalidStudy, match=r"^network: residual blocks lie more than 50 deep"):
        Study(network=[layer])


def test_a_mark_of_the_encoding_is_no_part_of_a_study(tmp_path):
    (tmp_path / "marked.toml").write_bytes(b'\xef\xbb\xbftask = "moons"\nepochs = 3\n')
    assert from_toml(tmp_path / "marked.toml") == Study(task="moons", epochs=3)


def test_in_python_the_sentence_is_the_same_and_says_where():
    with pytest.raises(InvalidStudy, match=r"^optimiser, momentum: less than 1 is expected, got 2\.$") as caught:
        Study(optimiser={"name": "sgd", "momentum": 2})
    assert caught.value.location == ("optimiser", "momentum")
    with pytest.raises(UnknownName, match="did you mean 'gelu'"):
        Study(activations=["gelo"])
    with pytest.raises(UnknownName, match="did you mean 'rmsprop'"):
        Study(optimiser="rmsprp")


# Lines of TOML


def leaves(value, path=()):
    if isinstance(value, (dict, list)):
        yield path
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    else:
        yield path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing = 1",
        'a = 1 # b = 2\n\n"c d" = "e = # 5 \\" ]"\n\'f\' = \'[\'',
        "a = [1, -2.5e-3,\n 3.0, # 4,\n [5, [6]],\n]\nb = 1979-05-27 07:32:00\nc = []",
        'a = """\nb = 3\n[c]\n"""\nd = 4',
        "a = '''\n[b]'''\nc = {}\nd = {e = {f = [{g = 1}, {h = \"}\"}]}}",
        'dotted.c = 1\ndotted."d" = 2\n[a]\n[e]\n[[f]]\n[[f]]\ng = 1\n[[f]]\n[h]\ni = true',
        Study(network=EVERY_LAYER, milestones=[Milestone(name="a = [")]).to_toml(),
        *(recipe.study.to_toml() for recipe in RECIPES.values()),
    ],
)
def test_every_key_and_entry_of_toml_has_a_line(text):
    lines = TomlLines(text).lines
    # Tables that only dotted keys make have no line of their own.
    assert set(lines) == set(leaves(tomllib.loads(text))) - {(), ("dotted",)}
    numbered = text.splitlines()
    for path, line in lines.items():
        named = [part for part in path if isinstance(part, str)][-1]
        if isinstance(path[-1], str):
            assert named in numbered[line - 1]


# Completing a study for its data


@pytest.mark.parametrize(
    ("task", "layers"),
    [
        (data((4,), 3), ["dense", "act", "dense", "act", "dense"]),
        (data((8, 8, 1), 10, 40), ["flatten", "dense", "act", "dense", "act", "dense"]),
        (data((2,), 2), ["dense", "act", "dense", "act", "dense"]),
    ],
)
def test_a_study_without_a_network_gets_one_that_suits(task, layers):
    completed = complete(Study(activations="relu"), task)
    assert [layer.layer for layer in completed.network] == layers
    assert completed.network[-1] == Dense(1 if task.class_count == 2 else task.class_count)
    assert completed.learning_rates == (0.001,)
    assert (completed.digest, completed.provenance) == (task.digest, "made up")


def test_sgd_has_a_rate_of_its_own():
    assert complete(Study(optimiser="sgd"), data()).learning_rates == (0.05,)
    assert complete(Study(optimiser="sgd", learning_rates=0.2), data()).learning_rates == (0.2,)


def test_two_classes_may_have_one_output_or_two():
    for units in (1, 2):
        completed = complete(Study(network=[Dense(3), Act(), Dense(units)]), data((2,), 2))
        assert completed.network[-1].units == units


@pytest.mark.parametrize(
    ("settings", "task", "error", "sentence"),
    [
        ({"digest": "0" * 64}, data(), InvalidStudy, "are not those of the study"),
        (
            {"network": [Act(), Dense(7)]},
            data(),
            InvalidNetwork,
            r"dense1 of output shape \(7,\), .* end it with Dense\(3\)",
        ),
        ({"network": [Act(), Dense(3)]}, data((2,), 2), InvalidNetwork, r"end it with Dense\(1\)"),
        ({"network": [Dense(4), Act()]}, data((4,), 3), InvalidNetwork, r"act1 of output shape \(4,\)"),
        ({"network": [Dense(4), Act("relu"), Dense(3)]}, data(), InvalidNetwork, r"no open Act\(\)"),
        ({"network": [Dense(4), Act(), Dense(3)]}, data((8, 8, 1)), InvalidNetwork, r"put Flatten\(\) before it"),
        ({"network": [Conv(4), Act(), Flatten(), Dense(3)]}, data((4,)), InvalidNetwork, "Conv takes images"),
        (
            {"network": [Conv(4, 9, padding="valid"), Act(), Flatten(), Dense(3)]},
            data((8, 8, 1)),
            InvalidNetwork,
            "window of 9×9 does not fit into images of 8×8",
        ),
        (
            {"milestones": [Milestone(name="late", label=3)]},
            data(),
            InvalidStudy,
            "there is no class 3, the task has 3",
        ),
    ],
)
def test_what_does_not_fit_the_data(settings, task, error, sentence):
    with pytest.raises(error, match=sentence):
        complete(Study(**settings), task)


def test_networks_need_a_network():
    with pytest.raises(InvalidStudy, match="complete it"):
        Study().networks((2,))


def test_what_widens_is_held_equal_in_units_or_in_parameters():
    layers = [Dense(12), Act(), Dense(3)]
    units = Study(network=layers, activations=["relu", "maxout"]).networks((4,))
    assert units["maxout"].parameter_count > 1.5 * units["relu"].parameter_count
    assert [units[name].layers[1].output_shape for name in units] == [(12,), (12,)]
    equal = Study(network=layers, activations=["relu", "maxout"], match="parameters").networks((4,))
    assert equal["relu"].parameter_count == units["relu"].parameter_count
    assert abs(equal["maxout"].parameter_count / equal["relu"].parameter_count - 1) < 0.1
