"""Recordings that were tampered with end in one sentence, wherever they are looked at, never in a traceback."""

from __future__ import annotations

import hashlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import pytest
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save
from tests.synthetic_recording import record, record_conditions
from tests.views_recording import record_all

from actlab.errors import ActlabError, InvalidRecording
from actlab.laboratory import write_results
from actlab.recording import load


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A recording of everything a report shows, in files."""
    directory = tmp_path_factory.mktemp("whole") / "run"
    record_all(directory, seeds=2, epochs=4)
    return directory


@pytest.fixture
def copied(whole, tmp_path):
    return copy_of(whole, tmp_path / "run")


def copy_of(whole, target):
    (target / "segments").mkdir(parents=True)
    for path in whole.rglob("*"):
        if path.is_file():
            (target / path.relative_to(whole)).write_bytes(path.read_bytes())
    return target


def tampered(directory, *statements):
    with closing(sqlite3.connect(directory / "study.db", isolation_level=None)) as database:
        for statement in statements:
            assert database.execute(*((statement,) if isinstance(statement, str) else statement)).rowcount, statement


def refused(directory):
    """The sentence that reading and reporting end in."""
    with pytest.raises(InvalidRecording) as caught:
        write_results(load(directory))
    sentence = str(caught.value)
    assert str(directory) in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


FACTS = ("complete", "epochs", "weight_layers", "act_layers", "classes", "input_shape")


@pytest.mark.parametrize("name", [*FACTS, "histogram_edges", "gradient_edges"])
def test_a_fact_that_is_missing(copied, name):
    tampered(copied, ("DELETE FROM facts WHERE name = ?", (name,)))
    assert name in refused(copied)


@pytest.mark.parametrize(
    "name", [*FACTS, "histogram_edges", "gradient_edges", "versions", "parameters", "class_counts", "machine"]
)
@pytest.mark.parametrize("value", ["null", '{"a": [1]}', "[[1]]", "true, false", "-1"])
def test_a_fact_of_another_type(copied, name, value):
    tampered(copied, ("UPDATE facts SET value = ? WHERE name = ?", (value, name)))
    sentence = refused(copied)
    assert any(said in sentence for said in (f"facts: {name}", "it is of -1 epochs", "Extra data"))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM metrics WHERE epoch = 2", "metrics of some epochs or members are missing"),
        ("DELETE FROM metrics WHERE epoch = 4", "there are metrics up to epoch 3, and the run is of 4 epochs"),
        ("DELETE FROM metrics WHERE member = 3 AND epoch = 2", "metrics of some epochs or members are missing"),
        ("DELETE FROM metrics", "there are metrics up to epoch -1, and the run is of 4 epochs"),
        ("UPDATE metrics SET train_loss = 'x' WHERE epoch = 2", "a metric is no number"),
        ("UPDATE metrics SET train_loss = x'00' WHERE epoch = 2", "a metric is no number"),
        ("UPDATE metrics SET epoch = 1e300 WHERE epoch = 4", "metrics of some epochs or members are missing"),
        ("DELETE FROM segments WHERE kind = 'epochs'", "and segments up to epoch -1"),
        ("DELETE FROM segments WHERE kind = 'sample'", None),
        ("UPDATE segments SET first_epoch = 1 WHERE kind = 'epochs'", "the segment of epoch 0 is missing"),
        ("UPDATE segments SET last_epoch = 3 WHERE kind = 'epochs'", "and segments up to epoch 3"),
        ("UPDATE segments SET last_epoch = 'x'", "other than texts and whole numbers"),
        ("UPDATE segments SET kind = 'other'", "is of 'other' 0 to"),
        ("UPDATE segments SET sha256 = x'00'", "other than texts and whole numbers"),
        ("DELETE FROM members WHERE id = 2", "its members are not those of its study"),
        ("UPDATE members SET activation = 'gelu' WHERE id = 2", "its members are not those of its study"),
        ("UPDATE members SET seed = 'x' WHERE id = 2", "its members are not those of its study"),
        ("UPDATE members SET id = 77 WHERE id = 2", "its members are not those of its study"),
        ("UPDATE members SET learning_rate = 'x' WHERE id = 2", "its members are not those of its study"),
        ("UPDATE members SET diverged_epoch = 'x' WHERE id = 2", "diverged at epoch 'x'"),
        ("UPDATE members SET diverged_epoch = 99, diverged_reason = 'so' WHERE id = 2", "diverged at epoch 99"),
        ("UPDATE members SET diverged_reason = 'so' WHERE id = 2", "diverged at epoch None"),
        ("UPDATE functions SET card = '[1]' WHERE name = 'relu'", "the function 'relu'"),
        ("UPDATE functions SET card = '{}' WHERE name = 'relu'", "the function 'relu': title is missing"),
        ("UPDATE functions SET card = '{' WHERE name = 'relu'", "study.db is damaged"),
        ("UPDATE functions SET card = x'ff' WHERE name = 'relu'", "study.db is damaged"),
        ("DELETE FROM functions WHERE name = 'relu'", "the function 'relu' is missing"),
        ("UPDATE functions SET card = json_set(card, '$.value', json('[1]')) WHERE name = 'relu'", "no whole curve"),
        ("UPDATE functions SET card = json_set(card, '$.formula', 7) WHERE name = 'relu'", "'relu': formula"),
        ("UPDATE facts SET value = '[' || hex(zeroblob(9)) WHERE name = 'classes'", "study.db is damaged"),
        (("UPDATE facts SET value = ? WHERE name = 'classes'", ("[" * 100_000,)), "study.db is damaged"),
        (("UPDATE facts SET value = ? WHERE name = 'epochs'", ("9" * 5000,)), "study.db is damaged"),
        ("UPDATE facts SET value = '{\"stated\": {}}' WHERE name = 'chosen_rates'", "chosen_rates lacks some"),
        ("UPDATE facts SET value = '[{}]' WHERE name = 'tuning'", "facts: tuning"),
        ("UPDATE facts SET value = '{\"members\": 1}' WHERE name = 'throughput'", "facts: throughput"),
        ("DROP TABLE metrics", "no such table: metrics"),
        ("ALTER TABLE metrics RENAME COLUMN epoch TO time", "no such column: epoch"),
        ("ALTER TABLE members ADD COLUMN more", "study.db is damaged"),
    ],
)
def test_rows_that_are_missing_or_of_other_types(copied, statement, said):
    with closing(sqlite3.connect(copied / "study.db", isolation_level=None)) as database:
        database.execute("INSERT OR IGNORE INTO facts VALUES ('tuning', 'null')")
        database.execute(*((statement,) if isinstance(statement, str) else statement))
    if said is None:
        write_results(load(copied))  # Without samples a report has no moving pictures.
    else:
        assert said in refused(copied)


def test_a_study_that_is_not_that_of_the_recording(copied):
    path = copied / "study.toml"
    text = path.read_text(encoding="utf-8")
    changes = {"epochs = 4": "epochs = 5", "0.05": "0.5", '"tanh"': '"gelu"'}
    cut = text[: text.index("network = ")] + text[text.index("activations = ") :]
    for content in ("", 'name = "other"\n', cut, *(text.replace(*change) for change in changes.items())):
        assert content != text
        path.write_text(content, encoding="utf-8")
        refused(copied)


# Segments


def with_segment(directory, data, kind="epochs"):
    """Put other bytes into a segment, with their digest."""
    with closing(sqlite3.connect(directory / "study.db", isolation_level=None)) as database:
        (file,) = database.execute("SELECT file FROM segments WHERE kind = ?", (kind,)).fetchone()
        given = data(load_arrays((directory / file).read_bytes())) if callable(data) else data
        (directory / file).write_bytes(given)
        database.execute("UPDATE segments SET sha256 = ? WHERE file = ?", (hashlib.sha256(given).hexdigest(), file))
    return file


@pytest.mark.parametrize("data", [b"", b"no safetensors", b"\xff" * 64, save({}) + b"more"])
def test_a_segment_of_the_right_digest_that_is_none(copied, data):
    file = with_segment(copied, data)
    assert f"{copied / file} is damaged or no segment of this recording" in refused(copied)


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("epochs", lambda a: save({n: v[1:] for n, v in a.items()}), "where (5, "),
        ("epochs", lambda a: save({n: np.ascontiguousarray(v[:, 1:]) for n, v in a.items()}), "where (5, "),
        ("epochs", lambda a: save(a | {"flat_share": a["flat_share"][..., :0]}), "flat_share is of shape (5, 6, 0)"),
        ("epochs", lambda a: save(a | {"flat_share": np.float32(1)[None]}), "flat_share is of shape (1,)"),
        ("epochs", lambda a: save(a | {"class_accuracy": a["class_accuracy"][..., :1].copy()}), "class_accuracy is of"),
        (
            "epochs",
            lambda a: save(a | {"weights/gelu/dense1/weight": a["flat_share"]}),
            "weights/gelu/dense1/weight is",
        ),
        (
            "epochs",
            lambda a: save(a | {"activation_histogram": a["activation_histogram"][..., :3].copy()}),
            "activation_histogram is of shape (5, 6, 1, 3), where (5, 6, 1, 16) is expected",
        ),
        ("sample", lambda a: save({"x": a["x"]}), "other than samples and their targets"),
        ("sample", lambda a: save({"x": a["x"][..., :1].copy(), "y": a["y"]}), "other than samples and their targets"),
        ("sample", lambda a: save({"x": a["x"], "y": a["y"][..., :7].copy()}), "other than samples and their targets"),
    ],
)
def test_arrays_of_other_shapes(copied, kind, change, said):
    with_segment(copied, change, kind)
    assert said in refused(copied)


SECRET = b"what nobody should read"


@pytest.mark.parametrize(
    "name",
    ["../secret", "/SECRET", "segments/../../secret", "segments/../secret.safetensors", "segments/a\0b.safetensors",
     "segments//x.safetensors", "segments/.safetensors", "x.safetensors", "segments/é.safetensors", ""],
)  # fmt: skip
def test_a_segments_name_leads_nowhere_else(copied, tmp_path, name):
    (tmp_path / "secret").write_bytes(save({"flat_share": np.zeros((5, 6, 1), np.float32)}))
    name = name.replace("/SECRET", str(tmp_path / "secret"))
    digest = hashlib.sha256((tmp_path / "secret").read_bytes()).hexdigest()
    tampered(copied, ("UPDATE segments SET file = ?, sha256 = ? WHERE kind = 'epochs'", (name, digest)))
    sentence = refused(copied)
    assert "where segments/NAME.safetensors is expected" in sentence
    assert digest not in sentence


@pytest.mark.parametrize("what", ["file", "folder"])
def test_links_are_not_followed(copied, tmp_path, what):
    file = next(copied.glob("segments/epochs-*"))
    moved = (file if what == "file" else file.parent).rename(tmp_path / "elsewhere")
    (file if what == "file" else file.parent).symlink_to(moved)
    assert "is no file but a link, or something else: it is not read." in refused(copied)
    file.unlink() if what == "file" else file.parent.unlink()
    moved.rename(file if what == "file" else file.parent)
    write_results(load(copied))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_not_read(copied, kind):
    file = next(copied.glob("segments/epochs-*"))
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    else:
        file.mkdir()
    start = time.monotonic()
    assert "is no file but a link, or something else: it is not read." in refused(copied)
    assert time.monotonic() - start < 30


def test_a_segment_of_another_size_is_not_held_in_memory(copied):
    """3 GB, of which the disk holds nothing, with 2 GB to put it into: what is in memory is a block at a time."""
    script = (
        "import resource, sys, threading, os; from actlab.recording import load; from actlab.errors import *\n"
        "recording = load(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))\n"
        "try: recording.probes\n"
        "except InvalidRecording as error: print(error)\n"
    )
    pytest.importorskip("resource")
    file = next(copied.glob("segments/epochs-*"))
    with file.open("rb+") as stream:
        stream.truncate(3 * 2**30)
    done = subprocess.run([sys.executable, "-c", script, copied], capture_output=True, text=True)
    assert done.stderr == ""
    assert "is damaged: SHA-256 is " in done.stdout


# Who may not read


# Root may read everything, and gives that up once all is imported, the codecs of files among it.
ROOT = hasattr(os, "getuid") and os.getuid() == 0
AS_NOBODY = "import encodings.utf_8_sig, os; os.setgid(65534); os.setuid(65534)\n" if ROOT else ""


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="Windows has no such modes")
@pytest.mark.parametrize("closed", ["study.db", "study.toml", "segments/*", "."])
def test_what_may_not_be_read_is_not_said_to_be_damaged(whole, closed):
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:  # Unlike pytest's own, everyone may enter it.
        os.chmod(folder, 0o755)
        directory = copy_of(whole, type(whole)(folder) / "run")
        for path in [directory] if closed == "." else directory.glob(closed):
            path.chmod(0)
        script = (
            "import sys, safetensors.numpy; from actlab.recording import load; from actlab.errors import *\n"
            f"{AS_NOBODY}"
            "try: load(sys.argv[1]).probes\n"
            "except InvalidRecording as error: print(error)\n"
        )
        done = subprocess.run([sys.executable, "-c", script, directory], capture_output=True, text=True)
        directory.chmod(0o755)
    assert done.stderr == ""
    assert "Permission denied" in done.stdout
    assert "damaged" not in done.stdout
    assert done.stdout.count("\n") == 1


# At random


def mutations(database, rng):
    """One change of a database: a row deleted, doubled or changed, a value nulled or of another type."""
    table = rng.choice(["facts", "members", "metrics", "functions", "segments"])
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    column = rng.choice(columns)
    key = {"facts": "name", "members": "id", "metrics": "epoch", "functions": "name", "segments": "id"}[table]
    keys = [row[0] for row in database.execute(f"SELECT DISTINCT {key} FROM {table}")]
    chosen = rng.choice(keys)
    if rng.random() < 0.25:
        return f"DELETE FROM {table} WHERE {key} = ?", (chosen,)
    values = [
        None,
        0,
        -1,
        3,
        2**62,
        1.5,
        float("inf"),
        "",
        "x",
        "null",
        "[]",
        "{}",
        "[1, 2]",
        '{"a": {"b": 1}}',
        b"\xff",
    ]
    if table in ("facts", "functions") and column in ("value", "card") and rng.random() < 0.6:
        (text,) = database.execute(f"SELECT {column} FROM {table} WHERE {key} = ?", (chosen,)).fetchone()
        return f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (json.dumps(mutated(json.loads(text), rng)), chosen)
    return f"UPDATE OR REPLACE {table} SET {column} = ? WHERE {key} = ?", (rng.choice(values), chosen)


def mutated(value, rng):
    """A JSON value with one thing in it changed."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(list(value))
        if rng.random() < 0.3:
            return {k: v for k, v in value.items() if k != key}
        return value | {key: mutated(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        middle = [] if rng.random() < 0.3 else [mutated(value[place], rng)]
        return value[:place] + middle + value[place + 1 :]
    return rng.choice([None, 0, -3, 1e308, "x", [], {}, True, [None], {"a": None}])


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_changed_at_random_ends_in_a_sentence_or_a_report(whole, tmp_path, seed):
    """Whoever finds a change that ends in another exception adds it to the tables above."""
    rng = random.Random(seed)
    conditions = tmp_path / "contests"
    record_conditions(conditions)
    for number in range(12):
        source = rng.choice([whole, whole, conditions])
        directory = copy_of(source, tmp_path / str(number))
        with closing(sqlite3.connect(directory / "study.db", isolation_level=None)) as database:
            statement = mutations(database, rng)
            try:
                database.execute(*statement)
            except (sqlite3.IntegrityError, OverflowError):
                continue
        try:
            write_results(load(directory))
        except ActlabError:
            pass
        except Exception as error:
            raise AssertionError(f"{statement}: {type(error).__name__}: {error}") from error


def test_recordings_of_all_kinds_are_whole(tmp_path):
    """Nothing is refused that a run leaves."""
    record(tmp_path / "stopped", last_epoch=3, complete=False)
    record(tmp_path / "begun", last_epoch=-1, complete=False)
    record_conditions(tmp_path / "contests")
    for name in ("stopped", "begun", "contests"):
        write_results(load(tmp_path / name))
