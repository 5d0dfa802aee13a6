"""Small tables for tests, in every kind of file, and what is told while they are loaded."""

from __future__ import annotations

import io
import warnings
import zipfile
from xml.sax.saxutils import escape

import numpy as np
import polars as pl
import pytest

from actlab import tasks
from actlab.errors import ActlabWarning, InvalidData


def told(path, **options):
    """A task and the sentences that were told while it was loaded."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        task = tasks.load(str(path), **options)
    assert all(issubclass(warning.category, ActlabWarning) for warning in caught)
    sentences = [str(warning.message) for warning in caught]
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in sentences)
    assert task.report is None or [note.sentence for note in task.report.notes] == sentences
    return task, sentences


def refused(path, error=InvalidData, **options):
    """The sentence with which a file is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ActlabWarning)
        with pytest.raises(error) as caught:
            tasks.load(str(path), **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def columns(task):
    """What was made of each column, by name."""
    return {column.name: column for column in task.report.columns}


def everything(task):
    """The inputs of all parts below each other."""
    return np.concatenate([task.x_train, task.x_validation, task.x_test])


def written(rows, header, separator=",", end="\n"):
    """Rows as the text of a table."""
    return end.join(separator.join(map(str, row)) for row in [header, *rows]) + end


def workbook(sheets):
    """The bytes of an .xlsx file: by name of the sheet, rows of numbers and texts."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        package = "http://schemas.openxmlformats.org/package/2006"
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
            '<Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" Type="{kind}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        entries = "".join(
            f'<sheet name="{escape(name)}" sheetId="{i}" r:id="rId{i}"/>' for i, name in enumerate(sheets, 1)
        )
        archive.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{kind}"><sheets>{entries}</sheets></workbook>'
        )
        links = "".join(
            f'<Relationship Id="rId{i}" Type="{kind}/worksheet" Target="worksheets/sheet{i}.xml"/>'
            for i in range(1, len(sheets) + 1)
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}/relationships">{links}</Relationships>'
        )
        for i, rows in enumerate(sheets.values(), 1):
            lines = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
            archive.writestr(
                f"xl/worksheets/sheet{i}.xml", f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData></worksheet>'
            )
    return stream.getvalue()


def _cell(value):
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return "<c/>" if value is None else f"<c><v>{value}</v></c>"


def open_document(rows):
    """The bytes of an .ods file of one sheet."""

    def cell(value):
        if isinstance(value, str):
            return f'<table:table-cell office:value-type="string"><text:p>{escape(value)}</text:p></table:table-cell>'
        kind = f'office:value-type="float" office:value="{value}"'
        return f"<table:table-cell {kind}><text:p>{value}</text:p></table:table-cell>"

    names = "".join(
        f' xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{short}:1.0"' for short in ("office", "table", "text")
    )
    lines = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        manifest = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
        archive.writestr("META-INF/manifest.xml", f'<m:manifest xmlns:m="{manifest}"/>')
        archive.writestr(
            "content.xml",
            f'<office:document-content{names}><office:body><office:spreadsheet><table:table table:name="one">{lines}'
            "</table:table></office:spreadsheet></office:body></office:document-content>",
        )
    return stream.getvalue()


def frame(header, rows):
    """A table as Polars holds it."""
    return pl.DataFrame(rows, schema=list(header), orient="row")
