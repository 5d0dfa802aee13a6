"""Write docs/functions/ anew: an index by family with a small picture of every function, and a page for each.

.venv/bin/python docs/functions_pages.py
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from actlab.functions import Activation, catalogue
from actlab.functions.measured.card import description, facts_in_words, real, svg
from actlab.functions.measured.facts import ACCURACY

FOLDER = Path(__file__).parent / "functions"
COLUMNS = 4
HEAD = """# The functions

{count} activation functions in {families} families. In each picture, for x from −5 to 5, the thick line is the function
and the thin one its derivative. `actlab functions` prints the same as a table, `actlab functions NAME` one card.
[Which of them are the same](../relations.md) · [How exact they are](../exactness.md) ·
[How fast they are](../functions-speed.md)
"""


def by_family() -> dict[str, list[Activation]]:
    """The functions of each family, in the catalogue's order."""
    families: dict[str, list[Activation]] = {}
    for activation in catalogue.values():
        families.setdefault(activation.family, []).append(activation)
    return families


def index() -> str:
    """The index, with small multiples by family."""
    families = by_family()
    text = HEAD.format(count=len(catalogue), families=len(families))
    for family, members in families.items():
        text += f"\n## {family.replace('_', ' ').capitalize()}\n\n<table>\n"
        for start in range(0, len(members), COLUMNS):
            cells = (
                f'<td align="center" valign="top"><a href="{a.name}.md"><img src="{a.name}.svg" width="180" '
                f'alt="{a.title}"><br>{a.name}</a></td>'
                for a in members[start : start + COLUMNS]
            )
            text += f"<tr>{''.join(cells)}</tr>\n"
        text += "</table>\n"
    return text


def page(activation: Activation) -> str:
    """The page of one function."""
    words = dict(description(activation))
    text = f"# {activation.title}\n\n`{activation.name}`{_also(activation)}\n\n"
    text += f"$$f(x) = {activation.formula.latex}$$\n\n" if activation.formula.latex else ""
    text += (
        f"In plain text: `{words['formula']}`\n\n![{activation.title} and its derivative]({activation.name}.svg)\n\n"
    )
    text += f"{activation.notes}\n\n" if activation.notes else ""
    text += f"Source: {activation.source}\n\n"
    text += _parameters(activation)
    text += "## Facts, as measured\n\n" + _table(("fact", ""), facts_in_words(activation.facts()))
    text += _accuracy(activation)
    if activation.elsewhere:
        text += "## Elsewhere\n\n" + _table(
            ("library", "name"), ((library, f"`{name}`") for library, name in activation.elsewhere.items())
        )
    return text + f"[All functions](README.md) · family {activation.family.replace('_', ' ')}\n"


def _also(activation: Activation) -> str:
    return f", also called {', '.join(f'`{alias}`' for alias in activation.aliases)}" if activation.aliases else ""


def _parameters(activation: Activation) -> str:
    if not activation.parameters:
        return ""
    rows = (
        (
            f"`{p.name}`",
            real(p.default) if p.default is not None else f"weights, {p.shape(64) if p.shape else ''} for 64 units",
            "yes" if p.trainable else "no",
            f"{real(p.low)} to {real(p.high)}",
        )
        for p in activation.parameters
    )
    return "## Parameters\n\n" + _table(("parameter", "default", "trainable", "valid from … to"), rows)


def _accuracy(activation: Activation) -> str:
    if activation.kind == "grouping":
        return ""
    known = ", ".join(f"{name.replace('_', ' ')} to {error:g}" for name, error in ACCURACY.items())
    return f"Known to: {known}.\n\n"


def _table(headers: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(headers)} |", "|" + "---|" * len(headers)]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows if row[1]]
    return "\n".join(lines) + "\n\n"


def main() -> None:
    """Write all files; those of functions that are gone are removed."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.iterdir():
        if old.stem not in catalogue:
            old.unlink()
    (FOLDER / "README.md").write_text(index(), encoding="utf-8")
    for activation in catalogue.values():
        (FOLDER / f"{activation.name}.md").write_text(page(activation), encoding="utf-8")
        (FOLDER / f"{activation.name}.svg").write_text(svg(activation), encoding="utf-8")


if __name__ == "__main__":
    main()
