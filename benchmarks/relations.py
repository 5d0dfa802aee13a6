"""Find every pair of functions that are the same up to parameters, scaling or reflection (some minutes).

python benchmarks/relations.py      writes src/actlab/functions/relations.json and docs/relations.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from actlab.functions import catalogue
from actlab.functions.measured.relations import Relation, known, related, to_json

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "src/actlab/functions/relations.json"
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


def main() -> None:
    """Search, and write the table and the page."""
    names = [name for name, activation in catalogue.items() if activation.kind != "grouping"]
    with ProcessPoolExecutor() as pool:
        found = dict(zip(names, map(tuple, pool.map(search, names)), strict=True))
    lines = (f"{json.dumps(name)}: {json.dumps([to_json(one) for one in found[name]])}" for name in sorted(found))
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    PAGE.write_text(page(known()), encoding="utf-8")


if __name__ == "__main__":
    main()
