"""Make the pictures of the README anew, from real runs.

.venv/bin/python docs/pictures.py
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

from rich.console import Console

import actlab
from actlab.study import Study
from actlab.views.figures.functions import plot, save
from actlab.views.terminal.comparison import leaderboard

PICTURES = Path(__file__).resolve().parent / "pictures"


def main() -> None:
    """Run both recipes and draw."""
    PICTURES.mkdir(exist_ok=True)
    plot(["gelu"], PICTURES / "gelu.svg")
    # Run directories are named from there, as a user would: the table names them.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        parabolas = Study(**(actlab.recipe("parabolas").study.model_dump() | {"seeds": 16}))
        recording = actlab.run(parabolas, "runs/parabolas")
        save(recording.feature_space(axes="own").plot([0, 10, 20, 40, 80, 150]), PICTURES / "feature-space.png", dpi=75)
        recording = actlab.run(actlab.recipe("digits").study, "runs/digits")
    console = Console(record=True, width=92, file=io.StringIO(), force_terminal=True)
    console.print(leaderboard(recording, recording.summary))
    console.save_svg(str(PICTURES / "digits.svg"), title="actlab compare digits", unique_id="digits")


if __name__ == "__main__":
    main()
