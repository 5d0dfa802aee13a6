"""Measure every function, and find every pair that is the same up to parameters, scaling or reflection (some minutes).

    python benchmarks/relations.py [--facts]

Writes facts.json and relations.json in src/actlab/functions/measured, and docs/relations.md; with --facts the first
alone, in seconds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from actlab.functions import catalogue
from actlab.functions.measured.facts import measure
from actlab.functions.measured.relations import Relation, known, related, to_json

ROOT = Path(__file__).parent.parent
MEASURED = ROOT / "src/actlab/functions/measured"
PAGE = ROOT / "docs/relations.md"
HEAD = """# Functions that are the same

Found by computation among all pairs of the {count} functions of one variable of the catalogue (`python
benchmarks/relations.py`): f(x) = shift + scale·g(stretch·x) for all x, at the default parameters of f and some
parameters of g, confirmed to 1e-12 on a grid that reaches ±10,000. Functions that mix several units are not compared.
Two names for one function are not listed here: they are aliases of one another (`actlab functions NAME`).

"""


def search(name: str) -> list[Relation]:
    """All relations of one function."""
    return list(related(catalogue[name], catalogue.values()))


def page(found: Mapping[str, tuple[Relation, ...]]) -> str:
    """The relations as two tables: equal up to parameters; and up to scaling, shift or reflection too."""
    text = HEAD.format(count=len(found))
    parts = (("Equal, or equal at some parameters", True), ("Equal up to a scaling, a shift or a reflection", False))
    for title, exact in parts:
        text += f"## {title}\n\n| function | can be written as |\n|---|---|\n"
        for name in sorted(found):
            written = [f"`{relation}`" for relation in found[name] if relation.exact is exact]
            text += f"| `{name}` | {', '.join(written)} |\n" if written else ""
        text += "\n"
    return text.rstrip() + "\n"


def write(name: str, table: Mapping[str, object]) -> None:
    """Write a table as JSON, a function in a line."""
    lines = (f"{json.dumps(key)}: {json.dumps(table[key])}" for key in sorted(table))
    (MEASURED / name).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main() -> None:
    """Measure and search, and write the tables and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", action="store_true")
    only_facts = parser.parse_args().facts
    # What a function equals is the other table's.
    facts = {name: measure(activation).to_dict() for name, activation in catalogue.items()}
    write("facts.json", {name: {key: found[key] for key in found if key != "equals"} for name, found in facts.items()})
    if only_facts:
        return
    names = [name for name, activation in catalogue.items() if activation.kind != "grouping"]
    with ProcessPoolExecutor() as pool:
        found = dict(zip(names, map(tuple, pool.map(search, names)), strict=True))
    write("relations.json", {name: [to_json(one) for one in found[name]] for name in found})
    PAGE.write_text(page(known()), encoding="utf-8")


if __name__ == "__main__":
    main()
