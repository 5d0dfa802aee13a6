"""Curves in a terminal, drawn with braille: eight dots to a character."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from rich.text import Text

from actlab.wording import number

# Bits of the dots of a braille character, by row and column.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_EMPTY = 0x2800


class Curve(NamedTuple):
    """y over the x of the plot, and the style it is drawn in. NaN makes a gap."""

    y: np.ndarray
    style: str


def draw(x: np.ndarray, curves: Sequence[Curve], height: tuple[float, float], columns: int, rows: int) -> Text:
    """Draw curves over axes through the origin, with round numbers on the left and below.

    Args:
        x: increasing, the same for all curves.
        curves: drawn in this order, the later over the earlier.
        height: lowest and highest y that is shown.
        columns, rows: size of the plot in characters, the numbers not counted.

    >>> x = np.linspace(-1, 1, 50)
    >>> print(draw(x, [Curve(x, "bold")], (-1.0, 1.0), 12, 3).plain)
             ⠀⠀⠀⠀⠀⠀⡇⠀⣀⠤⠖⠋
           0 ⠤⠤⠤⠤⣤⠤⡷⠭⠤⠤⠤⠤
             ⣠⠴⠒⠉⠀⠀⡇⠀⠀⠀⠀⠀
            −1     0    1
    """
    canvas = _Canvas(columns, rows, (float(x[0]), float(x[-1])), height)
    canvas.line(np.array([x[0], x[-1]]), np.zeros(2), "dim")
    canvas.line(np.zeros(2), np.array(height), "dim")
    for curve in curves:
        canvas.line(x, curve.y, curve.style)
    return canvas.text()


class _Canvas:
    """Characters with the dots set in each and the style of what was drawn last."""

    def __init__(self, columns: int, rows: int, width: tuple[float, float], height: tuple[float, float]) -> None:
        self.dots = np.zeros((rows, columns), int)
        self.styles: list[list[str]] = [["" for _ in range(columns)] for _ in range(rows)]
        self.width, self.height = width, height

    def line(self, x: np.ndarray, y: np.ndarray, style: str) -> None:
        """Set the dots of a line through the points."""
        across, down = 2 * self.dots.shape[1] - 1, 4 * self.dots.shape[0] - 1
        column = (x - self.width[0]) / (self.width[1] - self.width[0]) * across
        row = (self.height[1] - y) / (self.height[1] - self.height[0]) * down
        for i in range(len(x) - 1):
            ends = np.array([column[i], row[i], column[i + 1], row[i + 1]])
            if not np.all(np.isfinite(ends)):
                continue
            steps = int(max(abs(ends[2] - ends[0]), min(abs(ends[3] - ends[1]), 2 * down))) + 1
            for share in np.linspace(0, 1, steps + 1):
                self._dot(ends[0] + share * (ends[2] - ends[0]), ends[1] + share * (ends[3] - ends[1]), style)

    def _dot(self, column: float, row: float, style: str) -> None:
        across, down = round(column), round(row)
        if 0 <= across < 2 * self.dots.shape[1] and 0 <= down < 4 * self.dots.shape[0]:
            self.dots[down // 4, across // 2] |= _DOTS[down % 4][across % 2]
            self.styles[down // 4][across // 2] = style

    def text(self) -> Text:
        """The lines of the plot with the numbers beside and below it."""
        text = Text()
        beside = self._ticks(self.height, len(self.dots), 2)
        for line, (dots, styles) in enumerate(zip(self.dots, self.styles, strict=True)):
            text.append(f"{beside.get(len(self.dots) - 1 - line, ''):>8} ", style="dim")
            for bits, style in zip(dots, styles, strict=True):
                text.append(chr(_EMPTY + bits), style=style or None)
            text.append("\n")
        below = " " * (9 + self.dots.shape[1] + 4)
        for place, label in self._ticks(self.width, self.dots.shape[1], 6).items():
            start = max(9 + place - len(label) // 2, 0)
            below = below[:start] + label + below[start + len(label) :]
        return text.append(below.rstrip(), style="dim")

    @staticmethod
    def _ticks(ends: tuple[float, float], places: int, apart: int) -> dict[int, str]:
        """Places of round numbers, at least `apart` places from one another, and their labels."""
        low, high = ends
        least = (high - low) * apart / places
        power = 10.0 ** math.floor(math.log10(least))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))
        numbers = [step * k for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
        return {round((place - low) / (high - low) * (places - 1)): number(place + 0.0, ".4g") for place in numbers}
