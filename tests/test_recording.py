"""Recordings: what goes in comes out, whatever moment the writing stops at; damage is found and named."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest
from safetensors.numpy import save
from tests.synthetic_recording import members_of, probes, record, study, throughput

import actlab.files
from actlab.errors import InvalidRecording, NothingRecorded, RecordingFailed
from actlab.layers import Act, Conv, Dense, Flatten
from actlab.recording import METRICS, Claim, Writer, load

FACTS = {
    "weight_layers": ["dense1", "dense2"],
    "act_layers": ["act1"],
    "input_shape": [2],
    "classes": ["negative", "positive"],
}


def cards(made_up):
    return {name: {"title": name.upper()} for name in made_up.activations}


def started(directory, made_up=None):
    made_up = made_up or study(seeds=2)
    return Writer.create(directory, made_up, members_of(made_up, {}), cards(made_up), **FACTS)


def chunk(first, epochs=2, made_up=None):
    """Arguments of a commit: metrics and arrays in which every number is another."""
    members = len(members_of(made_up or study(seeds=2), {}))
    base = 1000.0 * first + np.arange(epochs * members).reshape(epochs, members)
    metrics = {name: base + i / 10 for i, name in enumerate(METRICS)}
    return first, metrics, {"probe": base.astype(np.float32)}, {}


def files(directory):
    """All files but the lock of a writer that is open."""
    found = (path for path in directory.rglob("*") if path.is_file() and path.name != "lock")
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


# What goes in comes out


def test_metrics_probes_and_members_come_back_in_their_order(tmp_path):
    made_up = study(seeds=[7, 3], learning_rates=[0.1, 0.01], init="gain")
    writer = started(tmp_path / "run", made_up)
    parts = [chunk(first, 3, made_up) for first in (0, 3, 6)]
    for part in parts:
        writer.commit(*part)
    writer.finish(throughput=throughput(5))
    writer.close()
    recording = load(tmp_path / "run")
    assert recording.study == made_up
    assert list(recording.members) == members_of(made_up, {})
    assert [member.init for member in recording.members] == (["stated"] * 4 + ["gain"] * 4) * 3
    assert (recording.epochs, recording.complete) == (8, True)
    for name in METRICS:
        np.testing.assert_array_equal(recording.metrics[name], np.concatenate([m[name] for _, m, _, _ in parts]))
    np.testing.assert_array_equal(recording.probes["probe"], np.concatenate([a["probe"] for _, _, a, _ in parts]))
    assert recording.facts["throughput"] == throughput(5)
    assert recording.functions == cards(made_up)
    assert recording.weight_layers == ("dense1", "dense2")
    assert recording.act_layers == ("act1",)


def test_what_is_not_a_number_comes_back_so_and_divergence_with_its_reason(tmp_path):
    writer = started(tmp_path / "run")
    first, metrics, arrays, _ = chunk(0)
    metrics["train_loss"][1, 2] = np.nan
    metrics["test_loss"][1, 3] = np.inf
    arrays["probe"][1, 2] = np.nan
    writer.commit(first, metrics, arrays, {2: (1, "the training loss became not a number")})
    writer.close()
    recording = load(tmp_path / "run")
    np.testing.assert_array_equal(recording.metrics["train_loss"], metrics["train_loss"])
    np.testing.assert_array_equal(recording.metrics["test_loss"], metrics["test_loss"])
    np.testing.assert_array_equal(recording.probes["probe"], arrays["probe"])
    told = [(member.diverged_epoch, member.diverged_reason) for member in recording.members]
    assert told == [(None, None)] * 2 + [(1, "the training loss became not a number")] + [(None, None)] * 3


ANY_NETWORK = (Dense(6), Act(), Dense(1))
IMAGES = (Conv(4, 3), Act(), Flatten(), Dense(3))


@pytest.mark.parametrize(("layers", "shape"), [(ANY_NETWORK, (2,)), (IMAGES, (6, 6, 1))])
def test_weights_come_back_member_by_member_and_run_in_numpy(tmp_path, layers, shape):
    made_up = study(network=layers, activations=["relu", "prelu", "maxout"], seeds=[4, 9], learning_rates=[0.1, 1.0])
    members, rng = members_of(made_up, {}), np.random.default_rng(0)
    networks = made_up.networks(shape)
    writer = Writer.create(tmp_path / "run", made_up, members, cards(made_up), **FACTS | {"input_shape": list(shape)})
    written = {}
    for epoch in (0, 5):
        for name, network in networks.items():
            own = sum(member.activation == name for member in members)
            for built in network.layers:
                for parameter, size in built.parameter_shapes.items():
                    written[epoch, f"weights/{name}/{built.name}/{parameter}"] = rng.normal(size=(1, own, *size))
        arrays = {name: array for (at, name), array in written.items() if at == epoch}
        writer.commit(epoch, {}, arrays, {}, kind="weights")
    writer.close()
    recording = load(tmp_path / "run")
    assert recording.weight_epochs == (0, 5)
    for epoch in (0, 5):
        seen = dict.fromkeys(networks, 0)
        for member in members:
            params = recording.weights(member, epoch)
            for built in networks[member.activation].layers:
                for parameter in built.parameter_shapes:
                    source = written[epoch, f"weights/{member.activation}/{built.name}/{parameter}"]
                    np.testing.assert_array_equal(params[built.name][parameter], source[0, seen[member.activation]])
            seen[member.activation] += 1
            x = rng.normal(size=(5, *shape))
            assert np.isfinite(recording.network(member.activation).apply(params, x)).all()
    assert set(recording.weights(members[-1], 0)) == {
        built.name for built in networks["maxout"].layers if built.parameter_shapes
    }
    with pytest.raises(InvalidRecording, match=r"weights of epoch 3 were not kept; there are \[0, 5\]"):
        recording.weights(members[0], 3)


def test_samples_come_back(tmp_path):
    writer = started(tmp_path / "run")
    x, y = np.arange(6, dtype=np.float32).reshape(3, 2), np.array([0, 1, 1])
    writer.commit(0, {}, {"x": x[None, None], "y": y[None, None]}, {}, kind="sample")
    writer.close()
    sample = load(tmp_path / "run").sample
    np.testing.assert_array_equal(sample["x"], x)
    np.testing.assert_array_equal(sample["y"], y)
    assert load(tmp_path / "run").probes == {}


@pytest.mark.parametrize("name", ["plain", "with space", "50% #1?", "ünïcode"])
def test_any_directory_name_will_do(tmp_path, name):
    assert record(tmp_path / name).epochs == 8
    assert load(str(tmp_path / name)).directory == tmp_path / name


def test_only_numpy_is_needed_to_read(tmp_path):
    record(tmp_path / "run")
    blocked = ("jax", "jaxlib", "optax", "scipy", "sklearn", "matplotlib", "plotly", "torch")
    script = (
        f"import sys\nfor name in {blocked}: sys.modules[name] = None\n"
        "import actlab\nr = actlab.load(sys.argv[1])\n"
        "print(r.epochs, r.complete, sorted(r.probes), r.network('relu').parameter_count)"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "run"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("8 True ['class_accuracy'")


# Stopped half-way


def test_before_the_first_commit_there_is_an_empty_recording(tmp_path):
    started(tmp_path / "run").close()
    recording = load(tmp_path / "run")
    assert (recording.epochs, recording.complete, recording.weight_epochs) == (-1, False, ())
    assert recording.probes == recording.sample == {}


@pytest.mark.parametrize("moment", ["the file", "its name", "its row", "the metrics"])
def test_whatever_moment_it_stops_the_database_names_what_is_whole(tmp_path, monkeypatch, moment):
    directory, made_up = tmp_path / "run", study(seeds=2, epochs=3)
    writer = started(directory, made_up)
    writer.commit(*chunk(0))

    class Stopped(BaseException):
        pass

    def stop(*_):
        raise Stopped

    class Stopping:
        """A connection that dies at one statement; what it has not committed is lost with it."""

        def __init__(self, connection):
            self.connection = connection

        def __getattr__(self, name):
            return getattr(self.connection, name)

        def execute(self, statement, *parameters):
            if statement.startswith("INSERT INTO segments") and moment == "its row":
                raise Stopped
            return self.connection.execute(statement, *parameters)

    if moment == "the metrics":
        monkeypatch.setattr(writer, "_insert_metrics", stop)
    elif moment == "its row":
        monkeypatch.setattr(writer, "_database", Stopping(writer._database))
    else:
        monkeypatch.setattr(os, {"the file": "fsync", "its name": "replace"}[moment], stop)
    with pytest.raises(Stopped):
        writer.commit(*chunk(2))
    monkeypatch.undo()
    left = set(files(directory)) - {"study.db-journal"}
    shutil.copytree(directory, tmp_path / "killed")
    writer.close()
    expected = {"study.toml", "study.db", "segments/epochs-000000.safetensors"}
    orphan = {"segments/epochs-000002.safetensors"} if moment in ("its row", "the metrics") else set()
    assert left == expected | orphan
    for place in (directory, tmp_path / "killed"):
        recording = load(place)
        assert (recording.epochs, recording.complete) == (1, False)
        assert [segment.file for segment in recording.segments] == ["segments/epochs-000000.safetensors"]
        np.testing.assert_array_equal(recording.probes["probe"], chunk(0)[2]["probe"])
        with Claim(place, made_up, restart=True) as claim:
            again = started(claim, made_up)
            again.commit(*chunk(0))
            again.commit(*chunk(2))
            again.finish()
        assert load(place).epochs == 3
        assert load(place).complete
        segments = {"segments/epochs-000000-2.safetensors", "segments/epochs-000002-2.safetensors"}
        assert set(files(place)) == {"study.toml", "study.db", *segments}


@pytest.mark.parametrize("rows", [10, 300_000])
def test_a_kill_inside_a_transaction_is_taken_back(tmp_path, rows):
    """300,000 rows are more than SQLite keeps in memory: the database itself has been written to."""
    directory = tmp_path / "run"
    writer = started(directory)
    writer.commit(*chunk(0))
    writer.close()
    script = (
        "import os, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute('BEGIN IMMEDIATE')\n"
        "rows = ((0, 100 + i, 0) for i in range(int(sys.argv[2])))\n"
        "database.executemany('INSERT INTO metrics (member, epoch, train_loss) VALUES (?, ?, ?)', rows)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, directory / "study.db", str(rows)])
    assert done.returncode == -signal.SIGKILL
    assert (directory / "study.db-journal").exists()
    recording = load(directory)
    assert recording.epochs == 1
    np.testing.assert_array_equal(recording.metrics["test_loss"], chunk(0)[1]["test_loss"])


@pytest.mark.parametrize(
    "leftovers", [(), ("segments/",), ("study.toml.tmp",), ("study.toml",), ("study.toml", "segments/", "study.db")]
)
def test_what_a_run_killed_at_its_start_leaves_does_not_bar_the_next(tmp_path, leftovers):
    directory, made_up = tmp_path / "run", study(seeds=2)
    for name in leftovers:
        path = directory / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(made_up.to_toml().encode() if name == "study.toml" else b"")
    if leftovers:
        with pytest.raises(InvalidRecording):
            load(directory)
    started(directory, made_up).close()
    assert load(directory).epochs == -1


# A full disk


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_a_full_disk_loses_nothing_that_was_committed(tmp_path, monkeypatch, call):
    directory = tmp_path / "run"
    writer = started(directory)
    writer.commit(*chunk(0))
    writer.commit(*chunk(2))
    before = files(directory)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(*((actlab.files, "open") if call == "open" else (os, call)), full, raising=False)
    with pytest.raises(RecordingFailed) as caught:
        writer.commit(*chunk(4))
    monkeypatch.undo()
    writer.close()
    assert str(caught.value) == (
        f"{directory}: epochs 4 to 5 cannot be written (No space left on device); up to epoch 3 everything is kept."
    )
    assert files(directory) == before
    assert (load(directory).epochs, load(directory).complete) == (3, False)


def test_a_full_database_takes_its_segment_back(tmp_path):
    directory = tmp_path / "run"
    writer = started(directory)
    writer.commit(*chunk(0))
    pages = writer._database.execute("PRAGMA page_count").fetchone()[0]
    writer._database.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(RecordingFailed, match="database or disk is full"):
        writer.commit(*chunk(2, 400))
    assert set(files(directory)) == {"study.toml", "study.db", "segments/epochs-000000.safetensors"}
    writer.commit(*chunk(2, 1))
    writer.close()
    assert load(directory).epochs == 2


@pytest.mark.parametrize("existing", [False, True])
def test_a_recording_that_cannot_be_started_leaves_nothing(tmp_path, monkeypatch, existing):
    directory = tmp_path / "runs" / "run"
    if existing:
        directory.mkdir(parents=True)

    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Writer, "_set", full)
    with pytest.raises(RecordingFailed, match=r"cannot be started .database or disk is full"):
        started(directory)
    assert directory.exists() == existing
    assert (tmp_path / "runs").exists() == existing
    assert not files(tmp_path)


def test_the_end_that_cannot_be_recorded(tmp_path):
    writer = started(tmp_path / "run")
    writer.commit(*chunk(0))
    pages = writer._database.execute("PRAGMA page_count").fetchone()[0]
    writer._database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(RecordingFailed, match=r"the end cannot be recorded .*; up to epoch 1 everything is kept"):
        writer.finish(throughput="x" * 100_000)
    writer.close()
    assert (load(tmp_path / "run").epochs, load(tmp_path / "run").complete) == (1, False)


# Directories that hold something else


def test_a_directory_of_another_study_is_refused_untouched(tmp_path):
    record(tmp_path / "run")
    (tmp_path / "run" / "report.html").write_text("kept", encoding="utf-8")
    before = files(tmp_path)
    with pytest.raises(InvalidRecording, match=r"run holds another study: it is left as it is; .*--out"):
        started(tmp_path / "run", study(epochs=9))
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "content",
    [{"notes.txt": b"mine"}, {"segments/mine": b"mine"}, {"study.toml": b"epochs = 0"}, {"study.toml": b"\xff"}],
)
def test_a_directory_of_other_files_is_refused_untouched(tmp_path, content):
    for name, data in content.items():
        path = tmp_path / "run" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    with pytest.raises(InvalidRecording, match="it is left as it is"):
        started(tmp_path / "run")
    assert files(tmp_path / "run") == content


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "run").write_bytes(b"mine")
    with pytest.raises(InvalidRecording, match="holds no recording"):
        started(tmp_path / "run")
    assert (tmp_path / "run").read_bytes() == b"mine"
    with pytest.raises(RecordingFailed, match="cannot be started"):
        started(tmp_path / "run" / "deeper")
    with pytest.raises(InvalidRecording, match="is no run directory"):
        load(tmp_path / "run")


# Damage


def test_every_flipped_byte_of_a_segment_is_found(tmp_path):
    recording = record(tmp_path / "run")
    path = tmp_path / "run" / recording.segments[0].file
    whole = path.read_bytes()
    assert recording.segments[0].sha256 == hashlib.sha256(whole).hexdigest()
    for place in (0, len(whole) // 2, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        found = hashlib.sha256(damaged).hexdigest()
        with pytest.raises(InvalidRecording) as caught:
            _ = load(tmp_path / "run").probes
        assert (
            str(caught.value) == f"{path} is damaged: SHA-256 is {found}, expected {hashlib.sha256(whole).hexdigest()}."
        )
    path.write_bytes(whole[:-7])
    with pytest.raises(InvalidRecording, match="damaged"):
        _ = load(tmp_path / "run").probes
    path.unlink()
    with pytest.raises(InvalidRecording, match=r"epochs-000000\.safetensors cannot be read \(No such file"):
        _ = load(tmp_path / "run").probes
    assert load(tmp_path / "run").metrics["train_loss"].shape == (9, 30)


def test_a_part_that_is_missing(tmp_path):
    record(tmp_path / "run")
    (tmp_path / "run" / "study.db").unlink()
    with pytest.raises(NothingRecorded, match=r"has a study\.toml, but no study\.db: a run has just begun there, or"):
        load(tmp_path / "run")
    (tmp_path / "run" / "study.toml").unlink()
    with pytest.raises(InvalidRecording, match=r"is no run directory: study\.toml and study\.db are expected"):
        load(tmp_path / "run")


def test_a_database_without_tables_is_that_of_a_run_that_has_just_begun(tmp_path):
    record(tmp_path / "run")
    (tmp_path / "run" / "study.db").write_bytes(b"")
    with pytest.raises(NothingRecorded, match="run holds a run that has just begun: nothing is recorded yet"):
        load(tmp_path / "run")


def test_no_directory_at_all(tmp_path):
    with pytest.raises(InvalidRecording, match="is no run directory"):
        load(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("damage", ["text", "header", "cut", "table", "fact", "row", "number"])
def test_a_damaged_database(tmp_path, damage):
    record(tmp_path / "run")
    path = tmp_path / "run" / "study.db"
    whole = path.read_bytes()
    contents = {"text": b"no database " * 99, "header": b"\0" * 16 + whole[16:], "cut": whole[:4096]}
    statements = {
        "table": "DROP TABLE metrics",
        "fact": "UPDATE facts SET value = '{' WHERE name = 'complete'",
        "row": "DELETE FROM metrics WHERE member = 3 AND epoch = 2",
        "number": "UPDATE metrics SET train_loss = 'x' WHERE member = 3 AND epoch = 2",
    }
    if damage in contents:
        path.write_bytes(contents[damage])
    else:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute(statements[damage])
        connection.close()
    with pytest.raises(InvalidRecording, match=r"study\.db is damaged or no actlab database|has schema None"):
        load(tmp_path / "run")


def test_a_damaged_study(tmp_path):
    record(tmp_path / "run")
    (tmp_path / "run" / "study.toml").write_bytes(b"epochs = ")
    with pytest.raises(InvalidRecording, match=r"cannot be read: .*study\.toml"):
        load(tmp_path / "run")


def test_a_function_that_is_not_known_here(tmp_path):
    record(tmp_path / "run")
    path = tmp_path / "run" / "study.toml"
    path.write_text(path.read_text(encoding="utf-8").replace('"relu"', '"my_relu"'), encoding="utf-8")
    connection = sqlite3.connect(tmp_path / "run" / "study.db", isolation_level=None)
    connection.execute("UPDATE members SET activation = 'my_relu' WHERE activation = 'relu'")
    connection.execute("UPDATE functions SET name = 'my_relu' WHERE name = 'relu'")
    connection.close()
    recording = load(tmp_path / "run")
    assert "my_relu" in recording.study.activations
    with pytest.raises(InvalidRecording, match=r"not hold the code of 'my_relu', .*: register it first .*leave it out"):
        recording.network("my_relu")
    assert recording.network("tanh").activation.name == "tanh"


def test_another_version_of_the_schema(tmp_path):
    record(tmp_path / "run")
    connection = sqlite3.connect(tmp_path / "run" / "study.db", isolation_level=None)
    connection.execute("UPDATE facts SET value = '99' WHERE name = 'schema'")
    connection.close()
    with pytest.raises(InvalidRecording, match="has schema 99, and this version of actlab reads up to 4"):
        load(tmp_path / "run")


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        record(tmp_path / name)
    segment = "segments/epochs-000000.safetensors"
    assert (tmp_path / "a" / segment).read_bytes() == (tmp_path / "b" / segment).read_bytes()
    made_up = study()
    arrays = probes(members_of(made_up, {}), made_up.epochs, {})
    assert (tmp_path / "a" / segment).read_bytes() == save({k: np.ascontiguousarray(v) for k, v in arrays.items()})


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("flat_share", (1, 30, 1, 1)),
        ("flat_share", (1, 30, 2)),
        ("penalty", (1, 30, 1)),
        ("activation_histogram", (1, 30, 1, 9)),
    ],
)
def test_a_measure_of_another_shape_than_declared_is_refused_before_it_is_written(tmp_path, name, shape):
    with pytest.raises(RecordingFailed, match=rf"epochs 0 to 0 cannot be recorded \({name} .*nothing is kept"):
        record(
            tmp_path / "run",
            last_epoch=0,
            arrays={name: np.zeros(shape, np.float32)},
            facts={"act_layers": ["act1"], "histogram_edges": [0.0, 1.0, 2.0]},
        )
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize("names", [[], ["loss"], ["accuracy"], ["loss", "accuracy", "loss"]])
def test_metrics_that_lack_loss_or_accuracy_are_told_of(tmp_path, names):
    record(tmp_path / "run")
    declared = [{"name": name, "title": name, "better": "lower", "unit": "", "scale": 1.0} for name in names]
    with closing(sqlite3.connect(tmp_path / "run" / "study.db")) as database, database:
        database.execute("UPDATE facts SET value = ? WHERE name = 'metrics'", (json.dumps(declared),))
    with pytest.raises(InvalidRecording, match="where loss, accuracy and others, each once, are expected"):
        load(tmp_path / "run")
