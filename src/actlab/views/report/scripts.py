"""The page's modules as one script: each in a function of its own, those it imports from before it.

A page that is opened from a file may not load modules, and these need no build step but this: `import` lines become
look-ups, `export` becomes a return.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

PAGE = resources.files("actlab.views") / "page"
_IMPORT = re.compile(r'^import \{([^}]+)\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|const|class) (\w+))", re.MULTILINE)


def asset(name: str) -> str:
    """A file of the page.

    >>> asset("report.html")[:15]
    '<!doctype html>'
    """
    return (PAGE / name).read_text(encoding="utf-8")


def bundle(entry: str) -> str:
    """A module of the page and all that it imports, directly or not, as one script.

    >>> "const module_state_js" in bundle("page.js")
    True
    """
    order: list[str] = []

    def visit(name: str) -> None:
        if name not in order:
            for _, imported in _IMPORT.findall(asset(name)):
                visit(imported)
            order.append(name)

    visit(entry)
    return "".join(_wrapped(name, last=name == entry) for name in order)


def _wrapped(name: str, last: bool) -> str:
    text = asset(name)
    body = _IMPORT.sub(lambda found: f"const {{{found[1]}}} = {_variable(found[2])};\n", text)
    exported = _EXPORT.findall(text)
    body = _EXPORT.sub("", body)
    # The entry may wait for something: it stands by itself, at the end.
    if last:
        return body
    return f"const {_variable(name)} = (() => {{\n{body}return {{ {', '.join(exported)} }};\n}})();\n"


def _variable(name: str) -> str:
    return "module_" + re.sub(r"\W", "_", name)


def table(name: str, functions: Mapping[str, str]) -> str:
    """Functions as the page's script has them: a table from their keys to JavaScript.

    >>> print(table("FUNCTIONS", {"relu": "(x) => x"}))
    const FUNCTIONS = {
    "relu": (x) => x,
    };
    """
    rows = "".join(f"{_key(key)}: {code},\n" for key, code in functions.items())
    return f"const {name} = {{\n{rows}}};"


def _key(name: str) -> str:
    return json.dumps(name).replace("<", "\\u003c")


def script_json(value: Any) -> str:
    """JSON that can stand inside a script element: no text in it can end the element or begin another.

    >>> script_json({"name": "</script>"})
    '{"name":"\\\\u003c/script\\\\u003e"}'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
