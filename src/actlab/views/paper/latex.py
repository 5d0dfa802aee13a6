"""The table of a recording for a paper: what the terminal shows, in LaTeX with booktabs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from actlab.recording import Recording
from actlab.statistics import summarise
from actlab.views.paper.writing import check_recorded, write_text
from actlab.views.terminal.comparison import legend, milestone_table, result_table

Summary = Mapping[str, Any]

# What LaTeX would take for a command, or set as another sign in its oldest encoding of fonts.
SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    "–": "--",
    "—": "---",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "²": "$^2$",
    "³": "$^3$",
    "′": "$'$",
    "∞": r"$\infty$",
    "√": r"$\surd$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "→": r"$\rightarrow$",
    "…": r"\dots{}",
    "\N{NO-BREAK SPACE}": "~",
}
SCIENTIFIC = re.compile(r"(-?\d+(?:\.\d+)?)e([+-]\d+)")
BOLD = "Bold: may be the best, at 95 %."


def write_table(recording: Recording, file: str | Path, summary: Summary | None = None) -> Path:
    r"""Write the table of a recording as LaTeX, to be read with \input{FILE}; it needs the package booktabs.

    Args:
        recording: complete or not, with at least the untrained networks recorded.
        file: is replaced.
        summary: what `actlab.statistics.summarise` says of the recording, if that is at hand.

    Raises:
        ActlabError: nothing is recorded yet, or the file cannot be written.
    """
    check_recorded(recording)
    return write_text(Path(file), table(recording, summary or summarise(recording)))


def table(recording: Recording, summary: Summary) -> str:
    """A `table` environment for each condition, the main one first: its rows best first, the legend as notes below.

    Columns, numbers and decimals are those of the terminal's table. Names that may be the best are bold where some
    are not. What a reader needs beside the numbers stands before the table, as comments.
    """
    return "\n".join(_lines(recording, summary)) + "\n"


def _lines(recording: Recording, summary: Summary) -> Iterator[str]:
    yield r"% needs \usepackage{booktabs}"
    for note in summary["notes"]:
        yield f"% {_plain(note)}"
    label = re.sub(r"[^a-z0-9]+", "-", recording.study.name.lower()).strip("-") or "study"
    for other in (None, *summary["contests"]):
        own = {**summary, **(other or {})}
        title = f"; {(other or summary['contest'])['title']}" if summary["contests"] else ""
        name = f"{label}-{other['name']}" if other else label
        yield ""
        yield from _environment(recording, own, title, name)


def _environment(recording: Recording, summary: Summary, title: str, label: str) -> Iterator[str]:
    # As in a terminal of 80 columns: with the milestones in it, the table is wider than a page of text.
    shown = result_table(recording, summary, milestones=False)
    told = set(summary["best_set"]) if summary["not_best"] else set()
    yield from (
        r"\begin{table}",
        r"\centering",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{escape(_plain(f'{shown.title}{_stopped(recording)}{title}.'))}}}",
        rf"\label{{tab:{label}}}",
        r"\par\smallskip",
    )
    yield from _tabular(shown, len(summary["activations"]), told)
    if recording.study.milestones:
        waited = milestone_table(recording, summary)
        yield from (r"\par\medskip", escape(_plain(str(waited.title))), r"\par\smallskip")
        yield from _tabular(waited, len(summary["activations"]), told)
    yield from (
        r"\par\medskip",
        r"\begin{minipage}{\linewidth}",
        escape(legend(summary) + (f" {BOLD}" if told else "")),
        r"\end{minipage}",
        r"\end{table}",
    )


def _tabular(shown: Table, activations: int, bold: Collection[str]) -> Iterator[str]:
    """The header, the rows of so many activations, and below a rule what else there is, for comparison."""
    headers = [str(column.header).split("\n") for column in shown.columns]
    height = max(map(len, headers))
    yield from (rf"\begin{{tabular}}{{@{{}}l{'r' * (len(headers) - 1)}@{{}}}}", r"\toprule")
    # A header of fewer lines stands at the bottom.
    for line in range(height):
        yield _row([header[line - height + len(header)] if line >= height - len(header) else "" for header in headers])
    yield r"\midrule"
    for place, row in enumerate(zip(*(column.cells for column in shown.columns), strict=True)):
        if place == activations:
            yield r"\midrule"
        yield _row([str(cell) for cell in row], bold=place < activations and str(row[0]) in bold)
    yield from (r"\bottomrule", r"\end{tabular}")


def _stopped(recording: Recording) -> str:
    """What the caption says of a run that was stopped: its numbers are not those of the epochs asked for."""
    wanted = recording.study.epochs
    return f" (stopped: after epoch {recording.epochs} of {wanted})" if recording.epochs < wanted else ""


def _row(cells: Sequence[str], *, bold: bool = False) -> str:
    r"""A row of cells; the first one is a name.

    >>> _row(["leaky_relu", "1.2e-09"], bold=True)
    '\\textbf{leaky\\_relu} & $1.2\\times10^{-9}$ \\\\'
    """
    name, *others = cells
    # "\\ [" and "\\*" of the row before would be one command.
    first = re.sub(r"^([\[*])", r"{\1}", escape(name))
    return " & ".join([rf"\textbf{{{first}}}" if bold else first, *map(number, others)]) + r" \\"


def number(text: str) -> str:
    r"""A cell of numbers in LaTeX: powers of ten as such, with a real minus; the digits stay.

    >>> number("-0.31"), number("2.1e-06"), number("92.2 [75.4–100.0]")
    ('$-$0.31', '$2.1\\times10^{-6}$', '92.2 [75.4--100.0]')
    """
    if found := SCIENTIFIC.fullmatch(text):
        return rf"${found[1]}\times10^{{{int(found[2])}}}$"
    return escape(re.sub(r"^-(?=[\d∞])", "−", text))


def escape(text: str) -> str:
    r"""A text as LaTeX sets it: its own signs escaped, quotation marks by their sides, Greek letters as mathematics.

    Other letters beyond ASCII stay: pdfLaTeX has those of Latin script, LuaLaTeX and XeLaTeX all that the font has.
    What cannot be printed is left out.

    >>> escape("50 % of a_b & {c} \\ ~^ #1")
    '50~\\% of a\\_b \\& \\{c\\} \\textbackslash{} \\textasciitilde{}\\textasciicircum{} \\#1'
    >>> escape("a–b −1 'x' f' α--β")
    "a--b $-$1 `x' f' $\\alpha$-{}-$\\beta$"
    """
    found = []
    # A number and its per cent stay on one line.
    text = text.replace(" %", "\N{NO-BREAK SPACE}%")
    for place, sign in enumerate(text):
        before = text[place - 1] if place else " "
        if sign in "'\"":
            mark = "`" if before in " ([" else "'"
            # Two of one kind would become a double one.
            found.append(mark * (1 if sign == "'" else 2) + ("{}" if text[place + 1 : place + 2] == sign else ""))
        elif sign == "-" and before == "-":
            found.append("{}-")
        else:
            found.append(_sign(sign))
    return "".join(found)


def _sign(sign: str) -> str:
    if sign in SPECIAL:
        return SPECIAL[sign]
    if "\N{GREEK SMALL LETTER ALPHA}" <= sign <= "\N{GREEK SMALL LETTER OMEGA}":
        name = unicodedata.name(sign).rpartition(" ")[2].lower().replace("lamda", "lambda")
        return "o" if name == "omicron" else rf"$\{name}$"
    return sign if sign.isprintable() else " " if sign.isspace() else ""


def _plain(text: str) -> str:
    """A text in one line."""
    return " ".join(text.split())
