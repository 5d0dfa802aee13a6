"""What comes of seventy kinds of files: docs/data.md, from small files that are made here and loaded.

.venv/bin/python -m docs.data
"""

from __future__ import annotations

import gzip
import io
import json
import shlex
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from tests.tables import open_document, workbook, written

from actlab import tasks
from actlab.errors import ActlabError, ActlabWarning

PAGE = Path(__file__).with_suffix(".md")
COUNT = 60
RNG = np.random.default_rng(0)
A = RNG.normal(5, 2, COUNT).round(2).tolist()
B = RNG.normal(2000, 300, COUNT).round(1).tolist()
KIND = [["setosa", "virginica", "versicolor"][i * i % 7 % 3] for i in range(COUNT)]
HEADER = ("width", "height", "kind")
ROWS = list(zip(A, B, KIND, strict=True))


@dataclass(frozen=True)
class Case:
    """A kind of file.

    Attributes:
        what: it in words.
        name: of the file.
        content: its bytes or text.
        target: the column of classes.
        options: decisions, by setting.
    """

    what: str
    name: str
    content: str | bytes
    target: str | None = "kind"
    options: dict[str, Any] = field(default_factory=dict)


def with_column(name: str, values: list[Any], **more: Any) -> dict[str, Any]:
    """A table with one further column in front."""
    rows = [(value, *row) for value, row in zip(values, ROWS, strict=True)]
    return {"name": "a.csv", "content": written(rows, (name, *HEADER)), **more}


def german(rows: list[tuple[Any, ...]]) -> list[tuple[str, ...]]:
    """Numbers with decimal commas."""
    return [tuple(str(value).replace(".", ",") for value in row) for row in rows]


def arrow(form: str) -> bytes:
    """The table as Parquet, Feather or an Arrow stream."""
    stream = io.BytesIO()
    table = pl.DataFrame(ROWS, schema=list(HEADER), orient="row")
    write = {"parquet": table.write_parquet, "feather": table.write_ipc, "arrow": table.write_ipc_stream}[form]
    write(stream)
    return stream.getvalue()


def zipped(*names: str) -> bytes:
    """An archive of tables."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, written(ROWS, HEADER))
    return stream.getvalue()


def texts() -> Iterator[Case]:
    """Ways of writing a table as text."""
    plain = written(ROWS, HEADER)
    yield Case("commas and points", "a.csv", plain)
    yield Case("semicolons and decimal commas", "a.csv", written(german(ROWS), HEADER, ";"))
    yield Case("tabs", "a.tsv", written(ROWS, HEADER, "\t"))
    yield Case("bars", "a.txt", written(ROWS, HEADER, "|"))
    yield Case("columns aligned by blanks", "a.data", "\n".join(f"{a:>9} {b:>9}  {k}" for a, b, k in [HEADER, *ROWS]))
    quoted = [tuple(f'"{value}"' for value in row) for row in ROWS]
    yield Case("everything quoted", "a.csv", written(quoted, HEADER))
    grouped = [(a, f'"{b:,}"', k) for a, b, k in ROWS]
    yield Case("digits in groups, `1,234.5`", "a.csv", written(grouped, HEADER))
    money = [(f'"${1000 * a:,.2f}"', b, k) for a, b, k in ROWS]
    yield Case("amounts of money, `$1,234.50`", "a.csv", written(money, HEADER))
    thousands = [(f"{1 + i % 9},{100 + i}", k) for i, k in enumerate(KIND)]
    yield Case("`1,234` that may be either", "a.csv", written(thousands, ("amount", "kind"), ";"))
    umlauts = plain.replace("width", "größe")
    for encoding, name in (("utf-8-sig", "UTF-8 with a mark"), ("cp1252", "Latin-1"), ("utf-16", "UTF-16")):
        yield Case(name, "a.csv", umlauts.encode(encoding))
    yield Case("comments at the top", "a.csv", "# measured by hand\n" + plain)
    yield Case("a first line `sep=;`", "a.csv", "sep=;\n" + written(ROWS, HEADER, ";"))
    yield Case("a header that is a comment, as NumPy writes", "a.csv", "# " + plain)
    yield Case("gzip", "a.csv.gz", gzip.compress(plain.encode()))
    yield Case("zip", "a.zip", zipped("a.csv"))


def headers() -> Iterator[Case]:
    """First rows and first columns."""
    yield Case("no header, the class last", "a.csv", written(ROWS[1:], ROWS[0]), "3")
    yield Case("no header, the class first", "a.csv", written([row[::-1] for row in ROWS[1:]], ROWS[0][::-1]), "1")
    numbered = [(f'"{i + 1}"', *row) for i, row in enumerate(ROWS)]
    yield Case("R's row names, a header one cell shorter", "a.csv", written(numbered, HEADER))
    yield Case("pandas' index without a name", "a.csv", written(numbered, ("", *HEADER)))
    codes = [(a, b, a, b, i % 3) for i, (a, b, _) in enumerate(ROWS)]
    counts = written(codes, ("150", "4", "setosa", "versicolor", "virginica"))
    yield Case("counts and names above the rows, as scikit-learn's iris.csv", "a.csv", counts, "5")
    yield Case("two columns of one name", "a.csv", written(ROWS, ("width", "width", "kind")))
    yield Case("a separator at the end of each row", "a.csv", written([(*row, "") for row in ROWS], (*HEADER, "")))
    yield Case("no target named", "a.csv", written(ROWS, HEADER), None)
    yield Case("the target by its number", "a.csv", written(ROWS, HEADER), "3")


def kinds() -> Iterator[Case]:
    """Kinds of columns."""
    order = RNG.permutation(COUNT)

    def words(*several: Any) -> list[Any]:
        return [several[i % len(several)] for i in order]

    yield Case("an `Id` that counts the rows", **with_column("Id", list(range(1, COUNT + 1))))
    yield Case("a `customer_id`", **with_column("customer_id", RNG.integers(10**6, 10**7, COUNT).tolist()))
    missing = words("NA", "?", "-", "", 3, 5.5, 2, 9)
    yield Case("missing numbers: `NA`, `?`, `-`, nothing", **with_column("x", missing))
    yield Case("categories", **with_column("colour", words("red", "green", "blue")))
    yield Case("categories with missing ones", **with_column("colour", words("red", "green", "")))
    zone = {"categorical": ("zone",)}
    yield Case("categories that are numbers", **with_column("zone", words(1, 2, 3), options=zone))
    towns = [f"town {min(i, j)}" for i, j in RNG.integers(0, 40, (COUNT, 2))]
    yield Case("forty categories", **with_column("town", towns))
    yield Case("`0`, `1`, `2`, `3+`", **with_column("children", words("0", "1", "2", "3+")))
    yield Case("True and False", **with_column("flag", words(True, False)))
    yield Case("yes and no", **with_column("flag", words("yes", "no")))
    yield Case("dates", **with_column("day", [f"2020-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in order]))
    yield Case("German dates", **with_column("day", [f"{1 + i % 28:02d}.{1 + i % 12:02d}.2020" for i in order]))
    either = [f"{1 + i % 12}/{1 + i % 7}/2020" for i in order]
    yield Case("dates that may be read in two ways", **with_column("day", either))
    yield Case("times of the day", **with_column("clock", [f"{i % 24}:{i % 60:02d}" for i in order]))
    yield Case("names of people, free text", **with_column("name", [f"person {i}" for i in order]))
    yield Case("one value", **with_column("unit", ["cm"] * COUNT))
    yield Case("nothing at all", **with_column("notes", [""] * COUNT))
    yield Case("a text among numbers", **with_column("x", ["tall", *range(3, COUNT + 2)]))
    yield Case("a column equal to the target", **with_column("code", [k.upper() for k in KIND]))
    yield Case("columns to leave out", **with_column("x", A[::-1], options={"drop": ("x,width",)}))


def targets() -> Iterator[Case]:
    """Targets and parts."""

    def table(values: list[Any], **more: Any) -> dict[str, Any]:
        rows = [(a, b, value) for a, b, value in zip(A, B, values, strict=True)]
        return {"name": "a.csv", "content": written(rows, HEADER), **more}

    yield Case("rows without a target", **table(["?" if i % 10 == 0 else k for i, k in enumerate(KIND)]))
    cased = [k.upper() if i % 5 == 0 else k for i, k in enumerate(KIND)]
    yield Case("classes that differ in case", **table(cased))
    yield Case("the same, made one", **table(cased, options={"classes": "fold"}))
    yield Case("a class of one sample", **table(["rare", *KIND[1:]]))
    yield Case("`007` and `7`", **table([["007", "7", "8"][i % 3] for i in range(COUNT)]))
    yield Case("a quantity", **table(B[::-1]))
    doubled = [row for row in ROWS[:30] for _ in range(2)]
    yield Case("rows that stand there twice", "a.csv", written(doubled, HEADER))
    groups = RNG.integers(0, 12, COUNT).tolist()
    yield Case("rows of patients", **with_column("patient", groups, options={"group": "patient"}))
    years = [1990 + i // 3 for i in range(COUNT)]
    yield Case("rows in the order of time", **with_column("year", years, options={"time": "year"}))


def files() -> Iterator[Case]:
    """Other kinds of files."""
    objects = [dict(zip(HEADER, row, strict=True)) for row in ROWS]
    lines = "\n".join(map(json.dumps, objects))
    yield Case("a workbook", "a.xlsx", workbook({"data": [HEADER, *ROWS]}))
    yield Case("a workbook of several sheets", "a.xlsx", workbook({"data": [HEADER, *ROWS], "notes": [["x"], ["y"]]}))
    yield Case("an OpenDocument sheet", "a.ods", open_document([HEADER, *ROWS]))
    for form in ("parquet", "feather", "arrow"):
        yield Case(f"{form.title()}", f"a.{form}", arrow(form))
    names = "@relation a\n@attribute width numeric\n@attribute height numeric\n"
    names += "@attribute kind {setosa,virginica,versicolor}"
    yield Case("ARFF", "a.arff", names + "\n@data\n" + "\n".join(",".join(map(str, row)) for row in ROWS))
    svm = "\n".join(f"{'-+'[i % 2]}1 1:{a} 3:{b}" for i, (a, b, _) in enumerate(ROWS))
    yield Case("libsvm", "a.svm", svm, None)
    yield Case("JSON, a list of objects", "a.json", json.dumps(objects))
    yield Case("JSON, an object in each line", "a.jsonl", lines)
    plain = written(ROWS, HEADER)
    yield Case("a file cut short", "a.csv", plain[: plain.rindex(",")])
    yield Case("a row that is too short", "a.csv", plain.replace(f"{A[20]},", "", 1))
    yield Case("Parquet that is called .csv", "a.csv", arrow("parquet"))
    yield Case("a web page that is called .csv", "a.csv", "<!DOCTYPE html><html></html>")
    yield Case("a workbook with a password", "a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    yield Case("an archive of two tables", "a.zip", zipped("train.csv", "test.csv"))
    yield Case("an empty file", "a.csv", "")


SECTIONS = {
    "Tables as text": texts,
    "First rows, first columns": headers,
    "Kinds of columns": kinds,
    "Targets and parts": targets,
    "Other kinds of files, and damaged ones": files,
}


def outcome(case: Case, folder: Path) -> tuple[str, list[str]]:
    """What comes of a file in words, and the sentences that are told."""
    path = folder / case.name
    path.write_bytes(case.content if isinstance(case.content, bytes) else case.content.encode())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ActlabWarning)
        try:
            task = tasks.load(str(path), target=case.target, reading=tasks.Reading(**case.options))
        except ActlabError as error:
            return "refused", [str(error).replace(f"{folder}/", "")]
    sizes = "/".join(str(len(y)) for y in (task.y_train, task.y_validation, task.y_test))
    names = task.report.features if task.report else ()
    shown = f"{', '.join(names[:6])}{', …' if len(names) > 6 else ''}"
    became = f"{len(names)} input{'s' * (len(names) > 1)} ({shown}), {task.class_count} classes, {sizes} samples"
    return became, [str(warning.message) for warning in told]


def page() -> str:
    """The whole page."""
    parts = [
        "# What comes of seventy kinds of files",
        "",
        f"Made by `python -m docs.data`, from small files of {COUNT} rows that it writes and loads: every sentence is "
        "the program's own. `actlab task FILE` shows the same of yours. Samples are those of the training, validation "
        "and test part.",
    ]
    number = 0
    for title, cases in SECTIONS.items():
        parts += ["", f"## {title}", "", "| | file | options | becomes | told |", "|---|---|---|---|---|"]
        for case in cases():
            number += 1
            with tempfile.TemporaryDirectory() as folder:
                became, sentences = outcome(case, Path(folder))
            settings = {**({"target": case.target} if case.target else {}), **case.options}
            options = " ".join(
                f"--{name} {shlex.quote(','.join(value) if isinstance(value, tuple) else value)}"
                for name, value in settings.items()
            )
            told = " ".join(sentences).replace("|", "\\|").replace("*", "\\*")
            cells = (str(number), f"{case.what} (`{case.name}`)", f"`{options}`" if options else "", became, told)
            parts.append(f"| {' | '.join(cells)} |")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
