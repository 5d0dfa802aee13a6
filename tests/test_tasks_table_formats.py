"""The same table in every kind of file and every way of writing gives the same task."""

import gzip
import json
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import sklearn.datasets
from sklearn.datasets import dump_svmlight_file
from tests.tables import columns, everything, frame, open_document, refused, told, workbook, written

from actlab import tasks
from actlab.errors import InvalidData, UnknownName
from actlab.tasks import Reading
from actlab.tasks.tables import rows as text_rows
from actlab.tasks.tables import source

HEADER = ("width", "height", "colour", "kind")
RANDOM = np.random.default_rng(0)
ROWS = [
    (
        round(float(a), 3),
        round(float(1234 + 1000 * b), 1),
        ["red", "grün"][i % 2],
        ["one", "two", "three"][i * i % 7 % 3],
    )
    for i, (a, b) in enumerate(RANDOM.normal(size=(60, 2)))
]


@pytest.fixture
def save(tmp_path):
    def save(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return save


@pytest.fixture
def plain(save):
    """The table as it should be, commas and points."""
    return told(save("plain.csv", written(ROWS, HEADER)), target="kind")[0]


def same(task, plain):
    assert task.classes == plain.classes
    np.testing.assert_allclose(everything(task), everything(plain), atol=1e-6)
    np.testing.assert_array_equal(task.y_train, plain.y_train)


def decimals(rows, sign=",", grouped=False):
    def cell(value):
        text = f"{value:,.1f}" if grouped and isinstance(value, float) and abs(value) >= 1000 else str(value)
        return text.translate(str.maketrans({".": ",", ",": "."})) if sign == "," else text

    return [tuple(cell(value) if isinstance(value, float) else value for value in row) for row in rows]


def quoted(rows):
    return [tuple(f'"{value}"' for value in row) for row in rows]


WRITTEN = {
    "semicolons": ("a.csv", written(ROWS, HEADER, ";"), "separated by semicolons (--separator)"),
    "tabs": ("a.tsv", written(ROWS, HEADER, "\t"), ""),
    "tabs in a .csv": ("a.csv", written(ROWS, HEADER, "\t"), "separated by tabs"),
    "tabs in a .txt": ("a.txt", written(ROWS, HEADER, "\t"), ""),
    "bars": ("a.data", written(ROWS, HEADER, "|"), ""),
    "blanks": ("a.txt", written(ROWS, HEADER, "   "), ""),
    "aligned by blanks": (
        "a.data",
        "\n".join("  " + "".join(f"{value!s:>14}" for value in row) + "  " for row in [HEADER, *ROWS]),
        "",
    ),
    "blanks after commas": ("a.csv", written(ROWS, HEADER, ", "), ""),
    "quoted": ("a.csv", written(quoted(ROWS), HEADER), ""),
    "quoted, with semicolons and decimal commas": (
        "a.csv",
        written(quoted(decimals(ROWS)), HEADER, ";"),
        "is separated by semicolons (--separator) and has decimal commas (--decimal); these options say otherwise.",
    ),
    "quoted decimal commas between commas": ("a.csv", written(quoted(decimals(ROWS)), HEADER), "has decimal commas"),
    "groups of digits": ("a.csv", written(quoted(decimals(ROWS, ".", True)), HEADER), ""),
    "groups by points": ("a.csv", written(decimals(ROWS, ",", True), HEADER, ";"), "has decimal commas (--decimal)"),
    "ends of lines of Windows": ("a.csv", written(ROWS, HEADER, end="\r\n"), ""),
    "ends of lines of old Macs": ("a.csv", written(ROWS, HEADER, end="\r"), ""),
    "empty lines": ("a.csv", "\n\n" + written(ROWS, HEADER, end="\n\n"), ""),
    "a mark of the encoding": ("a.csv", written(ROWS, HEADER).encode("utf-8-sig"), ""),
    "Windows-1252": ("a.csv", written(ROWS, HEADER).encode("cp1252"), "encoded as cp1252 (--encoding)"),
    "UTF-16": ("a.csv", written(ROWS, HEADER).encode("utf-16"), "encoded as utf-16"),
    "UTF-16 without a mark": ("a.csv", written(ROWS, HEADER).encode("utf-16-le"), "encoded as utf-16-le"),
    "gzip": ("a.csv.gz", gzip.compress(written(ROWS, HEADER).encode()), ""),
    "gzip of tabs": ("a.tsv.gz", gzip.compress(written(ROWS, HEADER, "\t").encode()), ""),
    "comments at the top": (
        "a.csv",
        "# measured\n# by hand\n" + written(ROWS, HEADER),
        "lines, which begin with #, are passed over",
    ),
    "its separator in a line above": ("a.csv", "sep=;\n" + written(ROWS, HEADER, ";"), "is separated by semicolons"),
    "a header that is a comment": ("a.csv", "# " + written(ROWS, HEADER), ""),
    "a separator at the end of each row": (
        "a.csv",
        written([(*row, "") for row in ROWS], (*HEADER, "")),
        "holds nothing",
    ),
}


@pytest.mark.parametrize(("name", "content", "said"), WRITTEN.values(), ids=WRITTEN)
def test_text_is_read_however_it_is_written(save, plain, name, content, said):
    task, sentences = told(save(name, content), target="kind")
    same(task, plain)
    assert any(said in sentence for sentence in sentences) or not said
    assert len(sentences) == 1 + bool(said)  # That the colour is a category is told as well.


def test_how_a_text_is_written_can_be_decided(save, plain):
    path = save("a.csv", written(decimals(ROWS), HEADER, ";").encode("latin-1"))
    wide = save("b.csv", written(ROWS, HEADER).encode("utf-16"))
    same(told(wide, target="kind", reading=Reading(encoding="UTF16"))[0], plain)
    reading = Reading(separator="semicolon", decimal=",", encoding="latin-1", header="yes")
    same(told(path, target="kind", reading=reading)[0], plain)
    assert "cannot be read as utf-8: say --encoding" in refused(path, target="kind", reading=Reading(encoding="utf-8"))
    assert "no column beside the target" in refused(path, target="1", reading=Reading(separator="|", classes="texts"))
    for wrong in (
        {"separator": "ab"},
        {"separator": "a"},
        {"decimal": "'"},
        {"encoding": "klingon"},
        {"encoding": "hex"},
    ):
        with pytest.raises(InvalidData, match=f"^{next(iter(wrong))} is "):
            Reading(**wrong)


def test_a_thousand_or_a_decimal_comma_is_asked_for(save):
    rows = [(f"{1 + i % 9},{100 + i}", "xy"[i % 2]) for i in range(40)]
    path = save("a.csv", written(rows, ("amount", "kind"), ";"))
    assert "a.csv: 1,100 is a thousand and more, or has a decimal comma: say --decimal" in refused(path, target="kind")
    large = told(path, target="kind", reading=Reading(decimal="."))[0]
    small = told(path, target="kind", reading=Reading(decimal=","))[0]
    np.testing.assert_allclose(everything(large), everything(small), atol=1e-5)  # Standardised, they are the same.


def arff():
    names = "\n".join(["@relation mine", "@attribute width numeric", "@attribute height real"])
    nominal = "@attribute colour {red,grün}\n@attribute kind {one,two,three}"
    return f"{names}\n{nominal}\n@data\n" + "\n".join(",".join(map(str, row)) for row in ROWS)


def test_other_kinds_of_files(save, plain, tmp_path):
    table = frame(HEADER, ROWS)
    files = {"a.xlsx": workbook({"one": [HEADER, *ROWS]}), "a.ods": open_document([HEADER, *ROWS]), "a.arff": arff()}
    objects = [dict(zip(HEADER, row, strict=True)) for row in ROWS]
    files |= {"a.json": json.dumps(objects), "b.json": "\n".join(map(json.dumps, objects))}
    files |= {
        "a.jsonl": files["b.json"],
        "a.ndjson": files["b.json"],
        "a.jsonl.gz": gzip.compress(files["b.json"].encode()),
    }
    paths = [save(name, content) for name, content in files.items()]
    table.write_parquet(tmp_path / "a.parquet")
    table.with_columns(pl.col("colour", "kind").cast(pl.Categorical)).write_parquet(tmp_path / "b.parquet")
    table.write_ipc(tmp_path / "a.feather")
    table.write_ipc_stream(tmp_path / "a.arrow")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("folder/mine.csv", written(ROWS, HEADER))
        archive.writestr("__MACOSX/._mine.csv", "x")
    paths += [tmp_path / name for name in ("a.parquet", "b.parquet", "a.feather", "a.arrow", "a.zip")]
    for path in paths:
        task, sentences = told(path, target="kind")
        same(task, plain)
        assert len(sentences) == 1, path
        assert task.name == path.name


def test_typed_columns(tmp_path, save):
    n = 40
    table = pl.DataFrame(
        {
            "whole": pl.Series([None if i % 5 == 0 else i * i % 11 for i in range(n)], dtype=pl.Int16),
            "flag": [None if i % 7 == 0 else i % 3 == 0 for i in range(n)],
            "day": pl.Series([i * i % 50 for i in range(n)]).cast(pl.Int32).cast(pl.Date),
            "clock": pl.Series([i * 3_600_000_000_000 % 86_400_000_000_000 for i in range(n)]).cast(pl.Time),
            "price": pl.Series([f"{i * 7 % 13}.50" for i in range(n)]).cast(pl.Decimal(10, 2)),
            "list": [[1, 2]] * n,
            "nothing": pl.Series([None] * n),
            "kind": [["a", "b"][i * i % 5 % 2] for i in range(n)],
        }
    )
    table.write_parquet(tmp_path / "a.parquet")
    task, sentences = told(tmp_path / "a.parquet", target="kind")
    kinds = {name: column.kind for name, column in columns(task).items()}
    assert kinds == {
        "whole": "numbers", "flag": "yes or no", "day": "dates", "clock": "times", "price": "numbers", "list": "nested",
        "nothing": "empty", "kind": "categories",
    }  # fmt: skip
    assert any("column 'list' holds lists or objects and is left out" in sentence for sentence in sentences)
    assert any("column 'nothing' holds nothing and is left out" in sentence for sentence in sentences)
    assert any("14 values are missing in 'whole' and 'flag'" in sentence for sentence in sentences)


def test_a_target_of_types(tmp_path):
    values = {
        "flag": [i % 2 == 0 for i in range(40)],
        "code": [i % 3 for i in range(40)],
        "part": [i % 2 / 1 for i in range(40)],
    }
    expected = {"flag": ("false", "true"), "code": ("0", "1", "2"), "part": ("0", "1")}
    for name, column in values.items():
        pl.DataFrame({"x": RANDOM.normal(size=40), "kind": column}).write_parquet(tmp_path / "a.parquet")
        assert told(tmp_path / "a.parquet", target="kind")[0].classes == expected[name]


def test_libsvm(tmp_path, save):
    x, y = RANDOM.normal(size=(40, 5)).round(3), np.where(np.arange(40) % 2, 1, -1)
    x[:, 1] *= RANDOM.random(40) < 0.3
    for name in ("a.libsvm", "a.svm"):
        dump_svmlight_file(x, y, str(tmp_path / name), zero_based=False)
        task, _ = told(tmp_path / name)
        assert task.classes == ("-1", "1")
        assert [column.name for column in task.report.columns] == ["label", "1", "2", "3", "4", "5"]
        plain = told(save("p.csv", written(np.column_stack([x, y]), [*"abcde", "y"])), target="y")[0]
        np.testing.assert_allclose(everything(task), everything(plain), atol=1e-6)
    assert "unknown column 'kind'" in refused(tmp_path / "a.svm", UnknownName, target="kind")


def test_sheets(save, plain):
    book = {"notes": [["hello"], ["you"]], "data": [HEADER, *ROWS], "more": [[1]]}
    path = save("a.xlsx", workbook({"data": book["data"], "notes": book["notes"]}))
    task, sentences = told(path, target="kind")
    same(task, plain)
    assert sentences[0] == "a.xlsx: sheet 'data' is read, the first of 2: --sheet for notes."
    path = save("b.xlsx", workbook(book))
    for sheet in ("data", "2"):
        same(told(path, target="kind", reading=Reading(sheet=sheet))[0], plain)
    assert (
        refused(path, UnknownName, target="kind", reading=Reading(sheet="date"))
        == "unknown sheet 'date': did you mean 'data'?"
    )
    assert "which is no workbook" in refused(save("c.csv", "a,b\n1,2\n"), target="b", reading=Reading(sheet="x"))


def test_a_sheet_without_a_header(save, plain):
    task, sentences = told(save("a.xlsx", workbook({"one": ROWS})), target="4")
    assert "taken for data, the columns are named 1 to 4" in sentences[0]
    same(task, plain)


def test_names_of_rows(save):
    # As R writes them: no name above them.
    rows = [(f'"{i + 1}"', *row) for i, row in enumerate(ROWS)]
    task, sentences = told(save("a.csv", written(rows, HEADER)), target="kind")
    assert "a.csv: column 'row names' names the rows and is left out; --keep 'row names' trains on it." in sentences
    # As pandas writes its index.
    indexed, sentences = told(save("b.csv", written(rows, ("", *HEADER))), target="kind")
    assert "b.csv: column 'row names' names the rows and is left out; --keep 'row names' trains on it." in sentences
    assert task.digest == indexed.digest
    names = [(f"model {i}", *row) for i, row in enumerate(ROWS)]
    assert told(save("c.csv", written(names, HEADER)), target="kind")[0].digest == task.digest
    # A separator at the end of each row alone makes no names of rows, and neither do values that come again.
    ended = [(*row, "") for row in ROWS]
    assert told(save("e.csv", written(ended, HEADER)), target="kind")[0].digest == task.digest
    sentence = refused(save("f.csv", written([("x", *row) for row in ROWS], HEADER)), target="kind")
    assert "f.csv, line 2: 5 values where the header names 4 columns" in sentence
    kept = told(save("d.csv", written(rows, HEADER)), target="kind", reading=Reading(keep=("row names",)))[0]
    assert kept.input_shape == (5,)


def test_columns_of_one_name(save):
    rows = [(a, b, kind) for a, b, _, kind in ROWS]
    task, sentences = told(save("a.csv", written(rows, ("a", "a", "kind"))), target="kind")
    assert sentences == [
        "a.csv: several columns are named 'a': all but the first are now 'a (2)'; --drop 'a (2)' leaves one out."
    ]
    assert task.report.features == ("a", "a (2)")


def test_tables_as_scikit_learn_ships_them():
    folder = Path(sklearn.datasets.__file__).parent / "data"
    for name in ("iris", "wine_data", "breast_cancer"):
        sentence = refused(folder / f"{name}.csv", target="virginica")
        assert "numbers among names" in sentence or "values and all rows below it" in sentence
    assert "say --header no if it is data" in refused(folder / "iris.csv", target="1")


# Large tables


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_large_table_is_read_the_same_in_both_ways(save, monkeypatch, separator):
    rows = [(i % 7 or "NA", a, b, c, kind) for i, (a, b, c, kind) in enumerate(ROWS)]
    path = save("a.csv", written(rows, ("n", *HEADER), separator))
    slow = told(path, target="kind")
    monkeypatch.setattr(text_rows, "FAST_FROM", 0)
    calls = []
    monkeypatch.setattr(pl, "read_csv", lambda *args, read=pl.read_csv, **more: calls.append(1) or read(*args, **more))
    fast = told(path, target="kind")
    assert calls
    assert fast[0].digest == slow[0].digest
    assert fast[1] == slow[1]


def test_what_asks_for_a_closer_look_is_read_row_by_row(save, plain, monkeypatch):
    monkeypatch.setattr(text_rows, "FAST_FROM", 0)
    for name, content, said in WRITTEN.values():
        task, sentences = told(save(name, content), target="kind")
        same(task, plain)
        assert any(said in sentence for sentence in sentences) or not said
    lines = written(ROWS, HEADER).splitlines()
    for change, sentence in (
        (lambda row: row.rpartition(",")[0], "line 31: 3 values where the header names 4 columns"),
        (lambda row: row + ",5", "line 31: 5 values where the header names 4 columns"),
        (lambda row: "tall" + row[row.index(",") :], "line 31: column 'width' holds 'tall' among numbers"),
    ):
        changed = [*lines[:30], change(lines[30]), *lines[31:]]
        assert sentence in refused(save("b.csv", "\n".join(changed)), target="kind")
    # One row with a value too few and one with a value too many.
    crossed = [*lines[:20], lines[20].rpartition(",")[0], *lines[21:30], lines[30] + ",5", *lines[31:]]
    assert "line 21: 3 values" in refused(save("b.csv", "\n".join(crossed)), target="kind")


# Bad files


def test_packed_files_within_bounds(save, monkeypatch, tmp_path):
    content = written(ROWS, HEADER).encode()
    path = save("a.csv.gz", gzip.compress(content))
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.csv", content)
    book = save("a.xlsx", workbook({"one": [HEADER, *ROWS]}))
    monkeypatch.setattr(source, "most_unpacked", lambda: 1024)
    for packed in (path, archive):
        assert "unpacks to more than 1 KiB, a fifth of the memory here" in refused(packed, target="kind")
    assert "more than 1 KiB, a fifth of the memory here: save the sheet that is meant as .csv" in refused(
        book, target="kind"
    )


def test_archives_of_several_or_no_tables(tmp_path):
    for files, said in ((["a.csv", "b.csv"], "holds 2 tables"), (["a.md"], "holds 0 tables"), ([], "(nothing)")):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            for name in files:
                archive.writestr(name, "a,b\n1,2\n")
        assert said in refused(tmp_path / "a.zip", target="b")


def test_files_larger_than_the_memory_are_not_read(save, monkeypatch, tmp_path):
    path = save("a.csv", written(ROWS, HEADER))
    frame(HEADER, ROWS).write_parquet(tmp_path / "a.parquet")
    monkeypatch.setattr(source, "memory", lambda: 2000)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))
    assert "more than the 1.95 KiB of memory here: take a part of its rows or columns" in refused(path, target="kind")


def test_a_parquet_file_that_unpacks_to_more_than_the_memory(monkeypatch, tmp_path):
    frame(HEADER, ROWS).write_parquet(tmp_path / "a.parquet")
    monkeypatch.setattr("actlab.tasks.tables.formats.memory", lambda: 2000)
    assert "holds 60 rows of 4 columns, which take some 3.75 KiB, more than" in refused(
        tmp_path / "a.parquet", target="kind"
    )


@pytest.mark.parametrize("kept", [0, 3, 0.3, 0.9])
def test_files_cut_short(save, tmp_path, kept):
    table = frame(HEADER, ROWS)
    table.write_parquet(tmp_path / "a.parquet")
    table.write_ipc(tmp_path / "a.feather")
    contents = {name: (tmp_path / name).read_bytes() for name in ("a.parquet", "a.feather")}
    contents |= {
        "a.xlsx": workbook({"one": [HEADER, *ROWS]}),
        "a.csv.gz": gzip.compress(written(ROWS, HEADER).encode()),
    }
    for name, content in contents.items():
        cut = content[: kept if kept >= 1 else int(kept * len(content))]
        sentence = refused(save(name, cut), target="kind")
        assert name in sentence
        assert any(way in sentence for way in ("is empty", "write it again", "get a fresh copy", "save it again"))


def test_a_row_cut_short(save):
    sentence = refused(save("a.csv", written(ROWS, HEADER)[:-20].rpartition(",")[0]), target="kind")
    assert "a.csv, line 60: " in sentence
    assert "(it is the last one: the file may be cut short)" in sentence


def test_files_of_another_kind_than_their_name_says(save, tmp_path):
    frame(HEADER, ROWS).write_parquet(tmp_path / "x.parquet")
    contents = {
        "a Parquet table: give it the ending .parquet": (tmp_path / "x.parquet").read_bytes(),
        "compressed by gzip: give it the ending .gz": gzip.compress(b"a,b"),
        "a zip archive: give it the ending .xlsx or .ods": workbook({"one": [HEADER, *ROWS]}),
        "a web page: save the table as .csv": b"<!DOCTYPE html><html></html>",
        "a PDF document": b"%PDF-1.7",
        "a Python pickle, which is never opened": b"\x80\x04\x95abc",
        "an old workbook, or one that is protected by a password": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
    }
    for said, content in contents.items():
        assert f"a.csv ends in .csv, and holds {said}" in refused(save("a.csv", content), target="kind")
    late = written(ROWS, HEADER).encode() * 30 + b"1,\0,red,one\n"
    for content in (b"\0\1\2\3" * 100, late):
        assert "is no text: it holds bytes of zero" in refused(save("a.csv", content), target="kind")
    for name in ("a.parquet", "a.feather", "a.xlsx", "a.arff", "a.json", "a.svm"):
        sentence = refused(save(name, written(ROWS, HEADER)), target=None if name == "a.svm" else "kind")
        assert sentence.startswith(f"{name} cannot be read as a")


def test_a_workbook_with_a_password_is_refused(save):
    content = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    sentence = refused(save("a.xlsx", content), target="kind")
    assert "a.xlsx ends in .xlsx, and holds an old workbook, or one that is protected by a password" in sentence


def test_a_quotation_mark_that_is_never_closed(save):
    lines = written(quoted(ROWS), HEADER).splitlines()
    lines[30] = lines[30][:-1]
    sentence = refused(save("a.csv", "\n".join(lines)), target="kind")
    assert "a.csv" in sentence
    assert "write it again" in sentence or "values where the header" in sentence


def test_arff_that_scipy_does_not_read(save):
    text = arff().replace("@attribute colour {red,grün}", "@attribute colour string")
    assert "write the table again as .csv" in refused(save("a.arff", text), target="kind")


def test_missing_values_of_arff(save):
    lines = arff().splitlines()
    lines[10] = "?,1200,?,one"
    task, _ = told(save("a.arff", "\n".join(lines)), target="kind")
    assert (columns(task)["width"].missing, columns(task)["colour"].missing) == (1, 1)


def test_json_of_other_forms(save):
    plain = told(save("p.csv", written([(i * i % 7, "xy"[i % 2]) for i in range(40)], ("a", "kind"))), target="kind")[0]
    by_column = {"a": [i * i % 7 for i in range(40)], "kind": ["xy"[i % 2] for i in range(40)]}
    by_row = {name: {str(i): value for i, value in enumerate(values)} for name, values in by_column.items()}
    for table in (by_column, by_row):
        assert told(save("a.json", json.dumps(table)), target="kind")[0].digest == plain.digest
    for text in ("[1, 2]", "5", '{"a": 1}\n{"a"', '{"a": {"b": 1}, "c": 2}', '{"a": [1, 2], "b": [1]}'):
        assert "a.json cannot be read as a .json file" in refused(save("a.json", text), target="kind")


def test_tasks_that_are_packed_need_no_ending_within(save, plain):
    same(told(save("mine.gz", gzip.compress(written(ROWS, HEADER).encode())), target="kind")[0], plain)
    assert tasks.kind_of("mine.gz") == ".gz"
