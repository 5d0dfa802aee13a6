"""Recordings of earlier versions open, report and export: `recordings/schema-N` holds some as they were written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import actlab
from actlab.laboratory import write_results
from actlab.recording.format import SCHEMA
from actlab.views.tensorboard import export

FOLDER = Path(__file__).parent / "recordings"
RECORDINGS = sorted(path.parent.relative_to(FOLDER).as_posix() for path in FOLDER.glob("schema-*/*/study.db"))


@pytest.fixture(params=RECORDINGS)
def directory(request, tmp_path):
    return Path(shutil.copytree(FOLDER / request.param, tmp_path / "run"))


def lost(before, after, place=""):
    """Where `after` lacks or changes something of `before`."""
    if isinstance(before, dict):
        return [
            complaint
            for key, value in before.items()
            for complaint in (lost(value, after[key], f"{place}/{key}") if key in after else [f"{place}/{key}"])
        ]
    if isinstance(before, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [complaint for number, pair in pairs for complaint in lost(*pair, f"{place}/{number}")]
    if isinstance(before, float) and isinstance(after, float):
        return [] if np.isclose(before, after, rtol=1e-12, atol=0) else [f"{place}: {before} and {after}"]
    return [] if before == after else [f"{place}: {before} and {after}"]


def test_every_kind_is_there():
    assert {name.split("/")[1] for name in RECORDINGS} == {"large", "rates", "small", "stopped"}


def test_it_opens_in_the_present_schema(directory):
    recording = actlab.load(directory)
    assert recording.facts["schema"] == SCHEMA
    parts = ("train", "validation", "test")
    assert list(recording.metrics) == [f"{part}_{name}" for part in parts for name in ("loss", "accuracy")]
    everyone = tuple(member.id for member in recording.members)
    for segment in recording.segments:
        first = tuple(m.id for m in recording.members if m.seed == recording.study.seeds[0])
        assert segment.members == (first if segment.kind == "first-seed" else everyone)
    for member in recording.members:
        for epoch in recording.weight_epochs:
            assert recording.weights(member, epoch)


def test_its_summary_is_what_it_was(directory):
    written = directory / "summary.json"
    before = json.loads(written.read_text(encoding="utf-8")) if written.exists() else {}
    assert bool(before) == actlab.load(directory).complete
    after = json.loads(json.dumps(write_results(actlab.load(directory))))
    # What is concluded, a later version may do better; nothing that was found is found no more.
    found = {(finding["code"], finding["activation"]) for finding in after.pop("findings")}
    assert {(finding["code"], finding["activation"]) for finding in before.pop("findings", [])} <= found
    for words in ("next_steps", "notes"):
        before.pop(words, None)
    for held, now in (
        zip(*([summary, *summary["contests"]] for summary in (before, after)), strict=True) if before else ()
    ):
        assert held.pop("headline").split("seeds.")[0] == now["headline"].split("seeds.")[0]
    for row in [
        *before.get("activations", ()),
        *(own for held in before.get("contests", ()) for own in held["activations"]),
    ]:
        for name in ("test_loss", "train_loss"):
            # Their intervals went below zero.
            if row[name]["ci95"]:
                row[name]["ci95"][0] = max(0.0, row[name]["ci95"][0])
    assert lost(before, after) == []
    assert (directory / "report.html").stat().st_size > 1e5


def test_it_is_exported(directory, tmp_path):
    export(actlab.load(directory), tmp_path / "events")
    assert list((tmp_path / "events").rglob("events*"))


def test_a_schema_of_a_later_version_is_told_of(directory):
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(directory / "study.db")) as database, database:
        database.execute("UPDATE facts SET value = '99' WHERE name = 'schema'")
    with pytest.raises(actlab.ActlabError, match=f"has schema 99, and this version of actlab reads up to {SCHEMA}"):
        actlab.load(directory)
