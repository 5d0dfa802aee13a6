"""Files appear whole or not at all, whoever else writes them, and are on the disk when it is said so."""

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
import sys
import time

import pytest

import actlab.files
from actlab.files import TEMPORARY, make_directory, replacing, write_synced


@pytest.fixture
def calls(monkeypatch):
    """What was synced, renamed and removed, in order: ("fsync", path), ("replace", from, to), as the system saw it."""
    seen, real = [], {name: getattr(os, name) for name in ("fsync", "replace")}

    def fsync(descriptor):
        seen.append(("fsync", os.readlink(f"/proc/self/fd/{descriptor}")))
        real["fsync"](descriptor)

    def replace(source, target):
        seen.append(("replace", str(source), str(target)))
        real["replace"](source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    return seen


on_linux = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the name behind a descriptor is Linux's")


@on_linux
def test_a_file_is_synced_before_it_has_its_name_and_the_directory_after(tmp_path, calls):
    write_synced(tmp_path / "a.txt", b"whole")
    (first, temporary), (second, source, target), last = calls
    assert (first, second, last) == ("fsync", "replace", ("fsync", str(tmp_path)))
    assert source == temporary
    assert target == str(tmp_path / "a.txt")
    assert os.path.dirname(temporary) == str(tmp_path)
    assert TEMPORARY.fullmatch(os.path.basename(temporary))


@on_linux
def test_directories_are_on_the_disk_with_those_above_them(tmp_path, calls):
    make_directory(tmp_path / "a" / "b")
    assert {path for _, path in calls} == {str(tmp_path), str(tmp_path / "a")}
    calls.clear()
    make_directory(tmp_path / "a" / "b")
    assert calls == []


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
@pytest.mark.parametrize("broken", [False, True], ids=["", "and removing fails"])
def test_what_cannot_be_written_leaves_what_was_there(tmp_path, monkeypatch, call, broken):
    (tmp_path / "a").write_bytes(b"earlier")
    monkeypatch.setattr(*((actlab.files, "open") if call == "open" else (os, call)), full, raising=False)
    if broken:
        monkeypatch.setattr("pathlib.Path.unlink", full)
    with pytest.raises(OSError, match="No space left"):
        write_synced(tmp_path / "a", b"later")
    monkeypatch.undo()
    assert (tmp_path / "a").read_bytes() == b"earlier"
    left = [path.name for path in tmp_path.iterdir() if path.name != "a"]
    assert all(TEMPORARY.fullmatch(name) for name in left)
    assert broken or not left


def test_an_interrupt_leaves_what_was_there(tmp_path):
    (tmp_path / "a").write_bytes(b"earlier")

    def interrupted():
        with replacing(tmp_path / "a") as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"earlier"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_others_may_read_what_the_umask_lets_them(tmp_path):
    before = os.umask(0o022)
    try:
        write_synced(tmp_path / "a", b"for all")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


def test_several_writers_of_one_file_never_leave_a_torn_one(tmp_path):
    """Each writes its own letter; with one temporary name for all, some of what is read is mixed, or they fail."""
    script = (
        "import sys, time; from pathlib import Path; from actlab.files import write_synced\n"
        "end = time.monotonic() + 2\n"
        "while time.monotonic() < end: write_synced(Path(sys.argv[1]), sys.argv[2].encode() * 300_000)\n"
    )
    path = tmp_path / "page.html"
    writers = [
        subprocess.Popen([sys.executable, "-c", script, path, letter], stderr=subprocess.PIPE) for letter in "abc"
    ]
    read = 0
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            text = path.read_text()
            assert re.fullmatch("a{300000}|b{300000}|c{300000}", text)
            read += 1
        time.sleep(0.001)
    assert [writer.communicate()[1] for writer in writers] == [b""] * 3
    assert [writer.returncode for writer in writers] == [0] * 3
    assert read > 10
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]
