"""What comes of each kind of file: docs/data.md, from small files that are made here and loaded.

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
import scipy.io
from PIL import Image
from tests.tables import open_document, workbook, written

from actlab import tasks
from actlab.errors import ActlabError, ActlabWarning
from actlab.wording import counted

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
        name: of the file or folder.
        content: its bytes or text; of a folder, bytes by the names of its files.
        target: the column of classes.
        options: decisions, by setting.
    """

    what: str
    name: str
    content: str | bytes | dict[str, bytes]
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
    ages = [-999 if i % 10 == 0 else 20 + i % 37 for i in order]
    yield Case("-999 where nothing is known", **with_column("age", ages))
    yield Case("the same, said to be missing", **with_column("age", ages, options={"missing": ("-999",)}))
    yield Case("categories", **with_column("colour", words("red", "green", "blue")))
    yield Case("categories with missing ones", **with_column("colour", words("red", "green", "")))
    zone = {"categorical": ("zone",)}
    yield Case("categories that are numbers", **with_column("zone", words(1, 2, 3), options=zone))
    towns = [f"town {min(i, j)}" for i, j in RNG.integers(0, 40, (COUNT, 2))]
    yield Case("forty categories", **with_column("town", towns))
    yield Case("codes with leading zeros", **with_column("zip", words("01067", "04109", "50667")))
    yield Case("numbers with a unit", **with_column("weight", [f"{i}.5 kg" for i in order]))
    yield Case("who a row is of", **with_column("patient", [f"p{i // 5}" for i in range(COUNT)]))
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
    yield Case("a quantity with decimals", **table(B[::-1]))
    yield Case("a quantity in whole numbers", **table([20 + (7 * i) % 41 for i in range(COUNT)]))
    yield Case("amounts of money", **table([f"${1000 + 13.5 * i:.2f}" for i in range(COUNT)]))
    yield Case("marks from 1 to 6, which may be classes", **table([1 + i % 6 for i in range(COUNT)]))
    yield Case(
        "the same, learnt as numbers", **table([1 + i % 6 for i in range(COUNT)], options={"objective": "regression"})
    )
    yield Case("halves, which may be either", **table([i % 4 / 2 for i in range(COUNT)]))
    yield Case("a quantity in two units", **with_column("metres", [a / 1000 for a in A], target="width"))
    yield Case(
        "two quantities",
        **with_column("weight", [round(2 * a + 0.1 * (i % 7), 2) for i, a in enumerate(A)], target="width,weight"),
    )
    tags = [
        "|".join(name for name, has in (("wide", a > 5), ("high", b > 2000)) if has) for a, b in zip(A, B, strict=True)
    ]
    yield Case("several labels in a text", **table(tags, options={"objective": "labels"}))
    yield Case("the same, undecided", **table([tag or "none" for tag in tags]))
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


def saved(**arrays: Any) -> bytes:
    """Arrays as .npz."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def single(array: Any) -> bytes:
    """An array as .npy."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def matlab(**arrays: Any) -> bytes:
    """Arrays as .mat."""
    stream = io.BytesIO()
    scipy.io.savemat(stream, arrays)
    return stream.getvalue()


# Of their own, for the tables above are the same without them.
ARRAYS = np.random.default_rng(1)
X = ARRAYS.normal(size=(COUNT, 4))
Y = np.arange(COUNT) % 3
COLOURS = ARRAYS.integers(0, 256, (COUNT, 8, 8, 3), dtype=np.uint8)


def arrays() -> Iterator[Case]:
    """Arrays of numbers."""

    def npz(what: str, options: dict[str, Any] | None = None, **arrays: Any) -> Case:
        return Case(what, "a.npz", saved(**arrays), None, options or {})

    def mat(what: str, options: dict[str, Any] | None = None, **arrays: Any) -> Case:
        return Case(what, "a.mat", matlab(**arrays), None, options or {})

    def folder(what: str, name: str, **files: Any) -> Case:
        return Case(what, name, {f"{key}.npy": single(array) for key, array in files.items()}, None)

    yield npz("`x_train` and `y_train`", x_train=X, y_train=Y)
    yield npz("`X` and `y`", X=X, y=Y)
    yield npz("`train_images` and `val_images`", train_images=X, train_labels=Y, val_images=X[:9], val_labels=Y[:9])
    yield npz("labels that are texts", x=X, y=np.array(["a", "b", "c"])[Y])
    yield npz("one-hot labels", x=X, y=np.eye(3)[Y])
    yield npz("decimals as targets", x=X, y=X[:, 0] * 3 + 1)
    yield npz("two of them", x=X, y=X[:, :2] + 0.25)
    yield npz("whole numbers, learnt as such", {"objective": "regression"}, x=X, y=Y)
    yield npz("several labels", {"objective": "labels"}, x=X, y=(X[:, :3] > 0).astype(int))
    yield npz("the same, undecided", x=X, y=(X[:, :3] > 0).astype(int))
    yield npz("bytes, (samples, height, width, channels)", x=COLOURS, y=Y)
    yield npz("decimals from 0 to 255", x=COLOURS.astype(float), y=Y)
    yield npz("channels first", x=np.moveaxis(COLOURS, -1, 1) / 255, y=Y)
    yield npz("a shape that may be read in two ways", x=ARRAYS.normal(size=(COUNT, 3, 4, 4)), y=Y)
    waves = ARRAYS.normal(size=(COUNT, 20, 2))
    yield npz("(samples, time, features)", x=waves, y=Y)
    yield npz("the same, for a network of one's own", {"layout": "sequences"}, x=waves, y=Y)
    films = ARRAYS.integers(0, 256, (COUNT, 5, 8, 8, 3), dtype=np.uint8)
    yield npz("films, (samples, frames, height, width, channels)", x=films, y=Y)
    yield npz("ids of tokens", {"layout": "tokens"}, x=ARRAYS.integers(0, 50, (COUNT, 12)), y=Y)
    yield npz("Python objects", x=np.array([{}] * COUNT), y=Y)
    yield mat("rows of samples", X=X, y=Y[:, None] + 1)
    yield mat("samples last, as street view house numbers", X=np.moveaxis(COLOURS, 0, -1), y=Y[:, None] + 1)
    square = ARRAYS.normal(size=(COUNT, COUNT))
    yield mat("as many features as samples", X=square, y=Y)
    yield mat("the same, decided", {"layout": "samples-last"}, X=square, y=Y)
    yield mat("a cell array", X=X, y=np.array([["a"], ["b"], ["c"]], dtype=object)[Y])
    yield Case("version 7.3", "a.mat", b"MATLAB 7.3 MAT-file".ljust(600, b"\0"), None)
    yield folder("a pair of files", "a/x.npy", x=X, y=Y)
    yield folder("a folder of them", "a", X_train=X[:40], y_train=Y[:40], X_test=X[40:], y_test=Y[40:])
    yield folder("one without its labels", "a/x.npy", x=X)


def picture(array: Any, form: str = "png", **options: Any) -> bytes:
    """A picture's bytes."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, format=form, **options)
    return stream.getvalue()


def pictures() -> Iterator[Case]:
    """Pictures in folders."""
    names = [f"{['cat', 'dog', 'ox'][y]}/{i}.png" for i, y in enumerate(Y)]
    plain = {name: picture(pixels) for name, pixels in zip(names, COLOURS, strict=True)}
    sides = ARRAYS.integers(30, 200, (COUNT, 2))
    large = {
        name: picture(ARRAYS.integers(0, 256, (*size, 3), dtype=np.uint8))
        for name, size in zip(names, sides, strict=True)
    }

    def folder(what: str, files: dict[str, bytes], **options: Any) -> Case:
        return Case(what, "a", files, None, options)

    yield folder("small ones of one size", plain)
    yield folder("several sizes", large)
    yield folder("a size of one's own", large, size=16)
    parts = {f"{('train', 'test')[i % 5 == 0]}/{name}": own for i, (name, own) in enumerate(plain.items())}
    yield folder("a folder for each part", parts)
    yield folder("a class that is tested on alone", parts | {"test/bird/1.png": plain[names[0]]})
    yield folder("grey ones among others", plain | {"cat/grey.jpg": picture(COLOURS[0, ..., 0], "jpeg")})
    clear = np.dstack([COLOURS[0], COLOURS[1, ..., 0]])
    yield folder("transparent ones", plain | {"cat/clear.png": picture(clear)})
    sixteen = ARRAYS.integers(0, 2**16, (COUNT, 8, 8), dtype=np.uint16)
    yield folder("grey of 16 bits", {name: picture(own) for name, own in zip(names, sixteen, strict=True)})
    yield folder("hidden files, and others", plain | {"cat/.DS_Store": b"", "notes.txt": b"mine"})
    again = {f"{name.partition('/')[0]}/again {i}.png": plain[name] for i, name in enumerate(names)}
    yield folder("pictures that are there twice", plain | again)
    yield folder("a class of one picture", plain | {"bird/1.png": plain[names[0]]})
    yield folder("one class alone", {name: own for name, own in plain.items() if name.startswith("cat")})
    yield folder("no folders of classes", {f"{i}.png": own for i, own in enumerate(plain.values())})
    yield folder("a picture cut short", plain | {"dog/1.png": plain["dog/1.png"][:-40]})


SECTIONS = {
    "Tables as text": texts,
    "First rows, first columns": headers,
    "Kinds of columns": kinds,
    "Targets and parts": targets,
    "Other kinds of files, and damaged ones": files,
    "Arrays": arrays,
    "Pictures in folders": pictures,
}


def outcome(case: Case, folder: Path) -> tuple[str, list[str]]:
    """What comes of a file in words, and the sentences that are told."""
    path = folder / case.name
    for name, content in case.content.items() if isinstance(case.content, dict) else [("", case.content)]:
        place = (path.parent if path.suffix else path) / name if name else path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ActlabWarning)
        try:
            task = tasks.load(str(path), target=case.target, reading=tasks.Reading(**case.options))
        except ActlabError as error:
            return "refused", [str(error).replace(f"{folder}/", "")]
    sizes = "/".join(str(len(y)) for y in (task.y_train, task.y_validation, task.y_test))
    names = task.report.features if task.report else ()
    shown = f" ({', '.join(names[:6])}{', …' if len(names) > 6 else ''})" if names else ""
    kind = "token" if task.holds_tokens else "input"
    inputs = f"{'×'.join(map(str, task.input_shape))} {kind}{'s' * (task.input_shape != (1,))}{shown}"
    aim = f"{task.class_count} classes"
    if task.targets is not None:
        aim = f"{counted(len(task.targets), 'number')} to predict"
    if task.labels:
        aim = f"{len(task.labels)} labels"
    return f"{inputs}, {aim}, {sizes} samples", [str(warning.message) for warning in told]


def page() -> str:
    """The whole page."""
    parts = [
        "# What comes of each kind of file",
        "",
        f"Made by `python -m docs.data`, from small files of {COUNT} rows or samples that it writes and loads: every "
        "sentence is the program's own. `actlab task FILE` shows the same of yours. Samples are those of the training, "
        "validation and test part.",
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
                f"--{name} {shlex.quote(','.join(value) if isinstance(value, tuple) else str(value))}"
                for name, value in settings.items()
            )
            told = " ".join(sentences).replace("|", "\\|").replace("*", "\\*")
            cells = (str(number), f"{case.what} (`{case.name}`)", f"`{options}`" if options else "", became, told)
            parts.append(f"| {' | '.join(cells)} |")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
