"""The map of the house, docs/house.svg: rooms and the arrows between them, read off the imports.

    .venv/bin/python docs/house.py

Floors go from left to right as `tests/test_house.py` holds them; a room is as tall as it has lines, and an arrow as
thick as there are imports along it. Arrows point to what is imported.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.test_house import FLOORS, MODULES, imported, module_name, ours, room  # noqa: E402

# Whose arrows would say nothing: everything imports them.
EVERYWHERE = {"errors", "files", "imports", "wording", "__init__", "__main__"}
WIDTH, GAP, LEAST, PER_LINE = 1.8, 0.5, 0.34, 1 / 2600
INK, QUIET, FILL = "#1f1f23", "#8a8880", "#f3f1ea"


def counted() -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Lines of each room, and imports from one room of another."""
    lines: Counter[str] = Counter()
    arrows: Counter[tuple[str, str]] = Counter()
    for path in MODULES:
        own = room(module_name(path))
        lines[own] += path.read_text(encoding="utf-8").count("\n")
        arrows.update((own, room(name)) for name in ours(imported(path)) if room(name) != own)
    return lines, arrows


def placed(lines: Counter[str]) -> dict[str, tuple[float, float, float]]:
    """Left edge, middle and height of each room's box."""
    boxes: dict[str, tuple[float, float, float]] = {}
    shown = [sorted(floor - EVERYWHERE, key=lambda name: -lines[name]) for floor in FLOORS]
    for column, rooms in enumerate(rooms for rooms in shown if rooms):
        heights = [LEAST + lines[name] * PER_LINE for name in rooms]
        top = (sum(heights) + 0.25 * (len(rooms) - 1)) / 2
        for name, height in zip(rooms, heights, strict=True):
            boxes[name] = (column * (WIDTH + GAP), top - height / 2, height)
            top -= height + 0.25
    return boxes


def draw() -> Figure:
    """The map."""
    lines, arrows = counted()
    boxes = placed(lines)
    right = max(left for left, _, _ in boxes.values()) + WIDTH
    top = max(middle + height / 2 for _, middle, height in boxes.values()) + 0.5
    figure = Figure(figsize=(right * 0.62 + 0.3, 2 * top * 0.62))
    panel = figure.add_axes((0, 0, 1, 1))
    panel.set(xlim=(-0.2, right + 0.2), ylim=(-top, top))
    panel.axis("off")
    for (own, other), count in arrows.items():
        if own in boxes and other in boxes:
            start, end = (boxes[own][0], boxes[own][1]), (boxes[other][0] + WIDTH, boxes[other][1])
            bend = 0.0 if start[0] - end[0] < 1.5 * GAP else 0.12
            style = {"arrowstyle": "-|>", "mutation_scale": 7, "color": QUIET, "alpha": 0.55}
            arrow = FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={bend}", lw=0.4 + count / 14, **style)
            panel.add_patch(arrow)
    for name, (left, middle, height) in boxes.items():
        corner = (left, middle - height / 2)
        shape = "round,pad=0,rounding_size=0.08"
        panel.add_patch(FancyBboxPatch(corner, WIDTH, height, shape, fc=FILL, ec=INK, lw=0.8))
        panel.text(left + WIDTH / 2, middle + 0.07, name, ha="center", va="center", fontsize=8.5, color=INK)
        panel.text(left + WIDTH / 2, middle - 0.12, f"{lines[name]:,} lines", ha="center", va="center", fontsize=6)
    return figure


if __name__ == "__main__":
    mpl.rcParams["svg.hashsalt"] = "house"
    draw().savefig(ROOT / "docs" / "house.svg", metadata={"Date": None})
