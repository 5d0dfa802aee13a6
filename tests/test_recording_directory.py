"""Who may write into a run directory: one process at a time, and nothing goes before what replaces it is complete."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from tests.killed_writers import SCENARIOS, STUDY, commit, seen, start, write
from tests.synthetic_recording import record, study, throughput

from actlab import engine
from actlab.errors import ActlabWarning, InvalidRecording, NothingRecorded, RecordingFailed
from actlab.laboratory import write_results
from actlab.recording import METRICS, Claim, Writer, load
from actlab.recording import writer as writer_module

REPOSITORY = Path(__file__).parent.parent


def files(directory):
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def process(code, *arguments):
    """Python in a process of its own, which may use this folder's modules."""
    script = f"import sys, time; from pathlib import Path; from tests.killed_writers import *\n{code}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])}
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


def ended(child):
    out, err = child.communicate(timeout=120)
    return child.returncode, out, err


def stop(*children):
    for child in children:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                stream.close()


# What lies there already


@pytest.mark.parametrize("epoch", [0, 3])
def test_a_part_of_a_recording_is_refused_with_the_ways_on(tmp_path, epoch):
    directory = tmp_path / "run"
    record(directory, last_epoch=epoch, complete=False)
    before = files(directory)
    with pytest.raises(InvalidRecording) as caught:
        Claim(directory, study())
    assert str(caught.value) == (
        f"{directory} holds {epoch} of 8 epochs of this study: --restart (in Python restart=True) trains it anew and "
        "removes that once the new recording is complete; or choose another directory with --out."
    )
    with pytest.raises(InvalidRecording, match=f"holds {epoch} of 8 epochs"):
        record(directory, restart=False)
    assert files(directory) == before


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"study.db": b"no database"}, "a recording of this study that cannot be read ({0}/study.db is damaged or no "),
        ({"study.db": None}, "segments of this study, but no study.db: --restart"),
    ],
)
def test_a_recording_that_cannot_be_read_is_not_lost_either(tmp_path, damage, said):
    directory = tmp_path / "run"
    record(directory)
    for name, content in damage.items():
        (directory / name).unlink() if content is None else (directory / name).write_bytes(content)
    before = files(directory)
    with pytest.raises(InvalidRecording, match=re.escape(said.format(directory))):
        record(directory, restart=False)
    assert files(directory) == before
    with pytest.raises(RuntimeError), Claim(directory, study(), restart=True):
        raise RuntimeError
    assert files(directory) == before
    assert record(directory, restart=True).complete
    assert set(files(directory)) == {"study.toml", "study.db", "segments/epochs-000000-2.safetensors"}


def test_a_complete_recording_is_handed_on(tmp_path):
    whole = record(tmp_path / "run")
    before = files(tmp_path)
    with Claim(tmp_path / "run", study()) as claim:
        assert claim.finished is not None
        np.testing.assert_array_equal(claim.finished.metrics["test_loss"], whole.metrics["test_loss"])
        with pytest.raises(InvalidRecording, match="holds a complete recording of this study"):
            Writer.create(claim, study(), [], {})
    assert files(tmp_path) == before


@pytest.mark.parametrize("end", ["an exception", "Ctrl-C", "a full disk", "a full disk at the end"])
@pytest.mark.parametrize("last", [3, 8])
def test_whatever_ends_a_new_recording_leaves_the_earlier_one(tmp_path, monkeypatch, end, last):
    directory = tmp_path / "run"
    record(directory, last_epoch=last, complete=last == 8, metrics={"test_loss": 0.125})
    for name in ("summary.json", "report.html", "notes.txt"):
        (directory / name).write_text("kept", encoding="utf-8")
    before = files(directory)
    real = os.replace

    def failing(source, target):
        if end == "a full disk at the end" and Path(target).name != "study.db":
            return real(source, target)
        if end == "an exception":
            raise RuntimeError
        raise KeyboardInterrupt if end == "Ctrl-C" else OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises((RuntimeError, KeyboardInterrupt, RecordingFailed)) as caught:
        record(directory, restart=True)
    monkeypatch.undo()
    if end.startswith("a full disk"):
        assert "No space left on device); the recording that was there is kept." in str(caught.value)
    if end == "a full disk at the end":  # What is made from a recording went just before, and can be made again.
        before = {name: data for name, data in before.items() if name not in ("summary.json", "report.html")}
    assert files(directory) == before
    assert record(directory, restart=True).metrics["test_loss"][-1, 0] == pytest.approx(0.3)
    assert (directory / "notes.txt").read_text(encoding="utf-8") == "kept"
    assert not (directory / "summary.json").exists()


def test_names_of_segments_alternate(tmp_path):
    for marks in ("", "-2", "", "-2"):
        record(tmp_path / "run", restart=True)
        (name,) = (path.name for path in (tmp_path / "run" / "segments").iterdir())
        assert name == f"epochs-000000{marks}.safetensors"


def test_the_rates_chosen_are_those_of_the_recording_and_come_into_its_study_file(tmp_path, monkeypatch):
    """Another machine may choose others; killed between the two renamings, the database is right."""
    asked = {"learning_rates": (0.1, 0.2), "activations": ("relu",)}
    first, second = (study(**asked, chosen_rates={"stated": {"relu": rate}}) for rate in (0.1, 0.2))
    record(tmp_path / "run", first)
    shutil.copytree(tmp_path / "run", tmp_path / "killed")
    assert record(tmp_path / "run", second, restart=True).study == second
    assert (tmp_path / "run" / "study.toml").read_text(encoding="utf-8") == second.to_toml()
    monkeypatch.setattr("actlab.recording.directory.write_synced", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        record(tmp_path / "killed", second, restart=True)
    assert (tmp_path / "killed" / "study.toml").read_text(encoding="utf-8") == first.to_toml()
    assert load(tmp_path / "killed").study == second


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are killed at a step by forking")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_at_any_step_the_one_or_the_other_is_whole_and_nothing_bars_the_next(scenario):
    # In memory, where syncs cost nothing: a kill, unlike a loss of power, loses nothing that was written.
    with TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        code, out, err = ended(process("main(Path(sys.argv[1]), sys.argv[2])", folder, scenario))
    assert (code, err) == (0, "")
    assert int(out) > 40, "rounds in which a process was killed"


@pytest.mark.skipif(not (hasattr(os, "getuid") and os.getuid() == 0), reason="only root mounts a small disk")
@pytest.mark.parametrize("complete", [True, False])
def test_a_disk_that_is_really_full(tmp_path, complete):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("this container lets nobody mount a disk")
    try:
        first = record(disk / "run", last_epoch=8 if complete else 5, complete=complete)
        before = files(disk)
        large = {"probe": np.zeros((9, 30, 200))}  # 432 kB.
        with pytest.raises(RecordingFailed, match=r"No space left on device.*; the recording that was there is kept"):
            record(disk / "run", restart=True, arrays=large)
        assert files(disk) == before
        with pytest.raises(RecordingFailed, match=r"No space left on device.*; nothing is kept"):
            record(disk / "other", arrays=large)
        assert load(disk / "run").epochs == first.epochs
        record(disk / "run", restart=True)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


# What was left half-written


def test_what_was_left_is_removed_and_what_is_being_written_is_not(tmp_path):
    directory = tmp_path / "run"
    record(directory)
    kept = set(files(directory)) | {"segments/mine.safetensors", "notes.txt", ".actlab-0123456789ab.tmp.html"}
    litter = {
        ".restart.db", ".restart.db-journal", "segments/epochs-000000-2.safetensors", "study.toml.tmp",
        "segments/weights-000008.safetensors", "segments/epochs-000003.safetensors.tmp", ".report.html.tmp",
        "segments/.actlab-0123456789ab.tmp.safetensors", ".actlab-0123456789ab.tmp.toml",
        ".actlab-0123456789ac.tmp.json",
    }  # fmt: skip
    for name in litter | kept:
        if not (directory / name).exists():
            (directory / name).write_bytes(b"left")
    for name in (".report.html.tmp", ".actlab-0123456789ac.tmp.json"):  # As old as no report is.
        os.utime(directory / name, (time.time() - 7200,) * 2)
    Claim(directory, study()).close()
    assert set(files(directory)) == kept


# One process at a time


def test_a_second_writer_is_refused_until_the_first_has_ended(tmp_path):
    directory = tmp_path / "run"
    child = process("with Claim(Path(sys.argv[1]), STUDY): print('claimed', flush=True); sys.stdin.read()", directory)
    assert child.stdout.readline() == "claimed\n"
    for restart in (False, True):
        with pytest.raises(InvalidRecording) as caught:
            Claim(directory, STUDY, restart=restart)
        assert str(caught.value) == (
            f"{directory} is being written to by another run: wait until that has ended, or choose another directory "
            "with --out."
        )
    assert ended(child)[0] == 0
    assert not directory.exists()
    write(directory, 1.0, restart=False)
    assert set(files(directory)) == {"study.toml", "study.db", *(s.file for s in load(directory).segments)}


def test_two_threads_are_two_writers(tmp_path):
    with Claim(tmp_path / "run", STUDY):
        caught = []

        def second():
            try:
                Claim(tmp_path / "run", STUDY)
            except InvalidRecording as error:
                caught.append(error)

        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert len(caught) == 1


def test_a_killed_writer_holds_nothing(tmp_path):
    directory = tmp_path / "run"
    child = process(
        "claim = Claim(Path(sys.argv[1]), STUDY); print('claimed', flush=True); sys.stdin.read()", directory
    )
    assert child.stdout.readline() == "claimed\n"
    stop(child)
    assert (directory / "lock").exists()
    write(directory, 1.0, restart=False)
    assert not (directory / "lock").exists()


def test_runs_started_together_leave_one_whole_recording(tmp_path):
    """Without a lock, both end with an error in a third of the rounds, and no recording is left."""
    code = (
        "from actlab.errors import ActlabError\n"
        "for line in sys.stdin:\n"
        "    directory, offset = line.split()\n"
        "    try: write(Path(directory), float(offset), restart=False); print('wrote', flush=True)\n"
        "    except ActlabError as error: print(error, flush=True)\n"
    )
    children = [process(code), process(code)]
    both = 0
    for number in range(15):
        for offset, child in enumerate(children):
            child.stdin.write(f"{tmp_path / str(number)} {offset + 1}\n")
        for child in children:
            child.stdin.flush()
        said = [child.stdout.readline() for child in children]
        assert "wrote\n" in said
        (other,) = (line for line in said if line != "wrote\n") if said.count("wrote\n") == 1 else ("",)
        both += "is being written to by another run" in other
        assert not other or "is being written to by" in other or "holds a complete recording of this study" in other
        assert seen(tmp_path / str(number)) == (float(said.index("wrote\n") + 1), 3)
        assert not (tmp_path / str(number) / "lock").exists()
    for child in children:
        assert ended(child)[::2] == (0, "")
    assert both, "they were never in it at the same time"


@pytest.mark.parametrize("size", [0, 5])
def test_a_file_named_lock_is_ours_only_if_it_is_empty(tmp_path, size):
    (tmp_path / "lock").write_bytes(b"x" * size)
    if size:
        with pytest.raises(InvalidRecording, match="holds no recording"):
            Claim(tmp_path, STUDY)
        assert files(tmp_path) == {"lock": b"x" * size}
    else:
        Claim(tmp_path, STUDY).close()
        assert files(tmp_path) == {}


def test_a_file_system_without_locks_is_written_to_with_a_warning(tmp_path, monkeypatch):
    def none(_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("actlab.recording.lock._seize", none)
    with pytest.warns(ActlabWarning, match="lies on a file system without locks .No locks available"):
        write(tmp_path / "run", 1.0, restart=False)
    assert load(tmp_path / "run").complete


# Where nothing can be written


@pytest.mark.parametrize("where", ["a file", "an unwritable folder"])
def test_a_directory_that_cannot_be_written_is_found_before_anything_is_computed(tmp_path, monkeypatch, where):
    made_up = study(task="parabolas", seeds=1)
    if where == "a file":
        (tmp_path / "file").write_bytes(b"")
        directory = tmp_path / "file" / "run"
    else:
        directory = Path("/proc/self/run")
        if not directory.parent.is_dir():
            pytest.skip("only Linux has a folder that not even root writes to")
    monkeypatch.setattr("actlab.engine.run.populations", lambda *_: pytest.fail("something is computed"))
    with pytest.raises(RecordingFailed, match="the recording cannot be started"):
        engine.train(made_up, directory)


def test_a_complete_recording_that_nobody_may_write_to_is_shown(tmp_path, monkeypatch):
    record(tmp_path / "run")

    def forbidden(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("actlab.recording.lock.os.open", forbidden)
    with Claim(tmp_path / "run", study()) as claim:
        assert claim.finished is not None
    with pytest.raises(RecordingFailed, match=r"cannot be started .Permission denied"):
        Claim(tmp_path / "run", study(), restart=True)


def test_segments_are_not_written_through_a_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "epochs-000000.safetensors").write_bytes(b"mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "segments").symlink_to(tmp_path / "elsewhere")
    with pytest.raises((InvalidRecording, RecordingFailed)):
        record(tmp_path / "run")
    assert files(tmp_path / "elsewhere") == {"epochs-000000.safetensors": b"mine"}


# What is said to be kept


@pytest.fixture
def begun(tmp_path):
    """A writer that has committed epochs 0 and 1 of 3."""
    with Claim(tmp_path / "run", STUDY) as claim:
        writer = start(claim)
        commit(writer, 0)
        yield writer
        writer.close()


@pytest.mark.parametrize("gone", ["directory", "segments", "a segment", "study.db"])
def test_what_is_gone_is_not_said_to_be_kept(begun, gone):
    directory = begun.directory
    if gone in ("directory", "segments"):
        shutil.rmtree(directory if gone == "directory" else directory / "segments")
    else:
        (directory / ("study.db" if gone == "study.db" else "segments/epochs-000000.safetensors")).unlink()
    if gone == "a segment":
        begun._database.execute("PRAGMA max_page_count = 1")  # Something else keeps the next ones from being written.
        values = np.zeros((900, 1))
        with pytest.raises(RecordingFailed) as caught:
            begun.commit(2, dict.fromkeys(METRICS, values), {"probe": values}, {})
    else:
        with pytest.raises(RecordingFailed) as caught:
            commit(begun, 2)
    sentence = str(caught.value)
    assert "everything is kept" not in sentence
    missing = f"what was kept there is no longer whole: {directory}/segments/epochs-000000.safetensors is missing."
    assert {
        "directory": f"what was kept there cannot be read any more: {directory} is no run directory",
        "segments": missing,
        "a segment": missing,
        "study.db": f"what was kept there cannot be read any more: {directory} has a study.toml, but no study.db",
    }[gone] in sentence


@pytest.mark.parametrize("call", ["fsync", "replace", "unlink", "all"])
def test_errors_of_the_disk_that_stay_end_in_a_sentence(begun, monkeypatch, call):
    """As a disk gives them that breaks, or a file system that turns read-only: every call from now on."""

    def broken(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    for name in ("fsync", "replace", "unlink", "mkdir", "rmdir") if call == "all" else (call,):
        monkeypatch.setattr(os, name, broken)
    if call == "unlink":
        monkeypatch.setattr(begun, "_insert_metrics", broken)
    with pytest.raises(RecordingFailed) as caught:
        commit(begun, 2)
    assert str(caught.value) == (
        f"{begun.directory}: epochs 2 to 3 cannot be written (Input/output error); up to epoch 1 everything is kept."
    )
    monkeypatch.undo()
    assert load(begun.directory).epochs == 1


def test_a_segment_that_the_database_names_is_not_removed_when_its_commit_fails_late(begun, monkeypatch):
    """The directory cannot be synced after the journal went: SQLite says an error of what it has done."""

    class Late:
        def __init__(self, connection):
            self.connection = connection

        def __getattr__(self, name):
            return getattr(self.connection, name)

        def execute(self, statement, *parameters):
            result = self.connection.execute(statement, *parameters)
            if statement == "COMMIT":
                raise sqlite3.OperationalError("disk I/O error")
            return result

    monkeypatch.setattr(begun, "_database", Late(begun._database))
    with pytest.raises(RecordingFailed, match=r"disk I/O error.; up to epoch 3 everything is kept"):
        commit(begun, 2)
    assert seen(begun.directory) == (0.0, 3)


# On the disk before it is acknowledged


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the name behind a descriptor is Linux's")
def test_what_is_acknowledged_is_on_the_disk(tmp_path, monkeypatch):
    """No power can be cut here: the order of syncs and renamings is what a journal of the disk would keep."""
    events, real = [], {name: getattr(os, name) for name in ("fsync", "replace")}

    def fsync(descriptor):
        real["fsync"](descriptor)
        events.append(("sync", Path(os.readlink(f"/proc/self/fd/{descriptor}"))))

    def replace(source, target):
        real["replace"](source, target)
        events.append(("rename", Path(source), Path(target)))

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)

    def on_the_disk(path):
        """Synced under its temporary name, then renamed, then its directory synced."""
        (renamed,) = (i for i, event in enumerate(events) if event[0] == "rename" and event[2] == path)
        assert ("sync", events[renamed][1]) in events[:renamed]
        assert ("sync", path.parent) in events[renamed:]

    directory = tmp_path / "runs" / "run"
    with Claim(directory, STUDY) as claim:
        assert ("sync", tmp_path) in events
        assert ("sync", tmp_path / "runs") in events
        writer = start(claim)
        on_the_disk(directory / "study.toml")
        assert writer._database.execute("PRAGMA synchronous").fetchone() == (3,)
        for first in (0, 2):
            events.clear()
            commit(writer, first)
            on_the_disk(directory / "segments" / f"epochs-{first:06d}.safetensors")
        writer.close()
    events.clear()
    write(directory, 100.0, restart=True)
    exchanged = events.index(("rename", directory / ".restart.db", directory / "study.db"))
    assert ("sync", directory) in events[exchanged:]


@pytest.fixture
def disk(tmp_path):
    """An ext4 disk in a file: its folder, and a function that shows what is left of it when the power goes now."""
    if not (hasattr(os, "getuid") and os.getuid() == 0 and shutil.which("mkfs.ext4")):
        pytest.skip("only root, with mkfs.ext4, makes a disk in a file")
    image, folder, copy = tmp_path / "image", tmp_path / "disk", tmp_path / "copy"
    for path in (folder, copy):
        path.mkdir()
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, folder], capture_output=True).returncode:
        pytest.skip("this container lets nobody mount a disk")

    def left(look):
        shutil.copyfile(image, tmp_path / "left")
        subprocess.run(["mount", "-o", "loop", tmp_path / "left", copy], check=True)
        try:
            return look(copy / "run")
        finally:
            subprocess.run(["umount", copy], check=True)

    yield folder, left
    # Lazily: what a failed test has open keeps nothing mounted.
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_loss_of_power_takes_nothing_that_was_acknowledged(disk):
    """With synchronous=FULL every commit but the ones before it comes undone, and summary and report are empty."""
    folder, left = disk
    for restart in (False, True):
        earlier = left(seen) if restart else None
        with Claim(folder / "run", STUDY, restart=restart) as claim:
            writer = start(claim)
            for first in (0, 2):
                commit(writer, first, 100.0 * restart)
                assert left(seen) == (earlier if restart else (0.0, first + 1))
            writer.finish(throughput=throughput(1))
            assert left(seen) == (100.0 * restart, 3)
            assert left(lambda directory: load(directory).complete)
            writer.close()
    write_results(load(folder / "run"))
    sizes = {name: (folder / "run" / name).stat().st_size for name in ("summary.json", "report.html")}
    assert left(lambda directory: {name: (directory / name).stat().st_size for name in sizes}) == sizes
    assert min(sizes.values()) > 1000


# Who reads meanwhile


READING = """
import sqlite3
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN")
database.execute("SELECT count(*) FROM metrics").fetchone()
print("reading", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def reader(begun):
    """Another program in the middle of reading the database, until its input is closed."""
    child = process(READING, begun.directory / "study.db")
    assert child.stdout.readline() == "reading\n"
    yield child
    stop(child)


def test_who_reads_the_database_is_waited_for_and_told_of(begun, reader):
    """SQLite itself gives up after 5 seconds."""
    threading.Timer(7, reader.stdin.close).start()
    start_time = time.monotonic()
    with pytest.warns(ActlabWarning) as warned:
        commit(begun, 2)
    assert time.monotonic() - start_time > 6
    assert [str(warning.message) for warning in warned] == [
        f"{begun.directory}/study.db is being read by another program: epochs 2 to 3 cannot be written until it lets "
        "go, and the run waits for 10 minutes at most."
    ]
    assert seen(begun.directory) == (0.0, 3)


def test_others_may_read_while_a_writer_waits(begun, reader, monkeypatch):
    monkeypatch.setattr("actlab.recording.reader.PATIENCE", 5)
    thread = threading.Thread(target=commit, args=(begun, 2))
    thread.start()
    try:
        time.sleep(0.5)
        for _ in range(10):
            assert load(begun.directory).epochs == 1
            time.sleep(0.05)
    finally:
        reader.stdin.close()
        thread.join()
    assert load(begun.directory).epochs == 3


def test_the_patience_of_a_writer_has_an_end(begun, reader, monkeypatch):
    monkeypatch.setattr(writer_module, "PATIENCE", 0.5)
    with pytest.raises(RecordingFailed, match=r"database is locked.; up to epoch 1 everything is kept"):
        commit(begun, 2)
    assert {path.name for path in (begun.directory / "segments").iterdir()} == {"epochs-000000.safetensors"}


def test_a_run_that_is_stopped_waits_no_longer(begun, reader):
    failed = []

    def committing():
        try:
            commit(begun, 2)
        except RecordingFailed as error:
            failed.append(error)

    def stopped():
        with begun.hurried():
            thread.start()
            time.sleep(0.5)
            raise KeyboardInterrupt

    thread = threading.Thread(target=committing)
    with pytest.raises(KeyboardInterrupt):
        stopped()
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert len(failed) == 1


def test_ctrl_c_ends_the_waiting_of_a_run(tmp_path):
    """A whole run in a process of its own, its database being read: it stops at once, with what is kept."""
    command = [sys.executable, "-m", "actlab", "compare", "parabolas", "--seeds", "1", "--epochs", "1000000"]
    # A shell starts its background jobs with Ctrl-C ignored, and all that they start inherits that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    run = subprocess.Popen(
        [*command, "--out", "run"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    signal.signal(signal.SIGINT, before)
    database, holding = tmp_path / "run" / "study.db", None
    try:
        patience = time.monotonic() + 240
        while not list(tmp_path.glob("run/segments/epochs-*")):
            assert run.poll() is None, run.communicate()
            assert time.monotonic() < patience, "no segment came"
            time.sleep(0.02)
        holding = process(READING, database)
        assert holding.stdout.readline() == "reading\n"
        waiting = run.stderr.readline()
        assert run.poll() is None
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
    finally:
        stop(run, *([holding] if holding else []))
    assert (run.returncode, out) == (130, "")
    assert waiting.startswith("actlab: run/study.db is being read by another program: epochs ")
    assert re.fullmatch(r"actlab: stopped; everything up to epoch \d+ is kept: actlab report run shows it\.\n", err)


def test_whatever_moment_a_recording_is_read_at_it_is_of_one_moment(tmp_path):
    """Read statement by statement, one in some seventy has metrics of more epochs than segments."""
    directory = tmp_path / "run"
    code = (
        "claim = Claim(Path(sys.argv[1]), study(seeds=1, activations=('relu',), epochs=10**6))\n"
        "writer = Writer.create(claim, study(seeds=1, activations=('relu',), epochs=10**6), members_of(STUDY, {}),\n"
        "    {'relu': {'title': 'ReLU'}}, **FACTS)\n"
        "print('begun', flush=True)\n"
        "for first in range(0, 10**6, 2): commit(writer, first)\n"
    )
    child = process(code, directory)
    loads, patience = 0, time.monotonic() + 120
    try:
        while loads < 100:
            assert child.poll() is None, child.communicate()
            assert time.monotonic() < patience, f"only {loads} loads"
            try:
                found = load(directory)
            except NothingRecorded:
                continue
            except InvalidRecording as error:
                if "is no run directory" in str(error):
                    continue
                raise
            # Else it would have been refused: segments end where metrics do.
            assert found.epochs % 2 == 1
            loads += 1
    finally:
        stop(child)
