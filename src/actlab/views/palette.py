"""One fixed colour for each activation, and the ramps of the charts, as names of the page's CSS colours.

The colours themselves stand in `page/report.css` for the page, light and dark, and here for printed figures.
They were searched for so that any two of the first eight stay apart for normal, protanopic and deuteranopic
eyes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SERIES = (
    "#0172d2", "#be4c00", "#00a86e", "#ac4c9b", "#d98e00", "#4aa5e4",
    "#50318f", "#6b6b6b", "#7a3b12", "#8a9135", "#911b46", "#11aead",
)  # fmt: skip
DASHES = ("solid", "dash", "dot", "dashdot")
WRONG = "#d1101f"
CLASSES = (
    "#d08700", "#6741c9", "#00a86e", "#ac4c9b", "#be4c00", "#0172d2", "#4aa5e4", "#6b6b6b", "#7a3b12", "#8a9135",
)  # fmt: skip
HEAT_STEPS = 7
LAYER_STEPS = 8


@dataclass(frozen=True)
class Style:
    """How one activation is drawn: `slot`, the number of its colour, and the dash pattern of its lines."""

    slot: int
    dash: str

    @property
    def css(self) -> str:
        """The colour as the page knows it."""
        return f"var(--series-{self.slot})"

    @property
    def printed(self) -> str:
        """The colour for paper, in hexadecimal."""
        return SERIES[self.slot]


Styles = Mapping[str, Style]


def styles_of(names: Sequence[str]) -> dict[str, Style]:
    """A style for each name; beyond twelve the colours come again with another dash pattern.

    >>> styles_of(["relu", "gelu"])["gelu"]
    Style(slot=1, dash='solid')
    """
    rounds = [divmod(number, len(SERIES)) for number in range(len(names))]
    return {name: Style(slot, DASHES[turn % len(DASHES)]) for name, (turn, slot) in zip(names, rounds, strict=True)}


def css_class(label: int) -> str:
    """The page's colour of a class of the data: there are ten, then they repeat."""
    return f"var(--class-{label % len(CLASSES)})"


def css_layer(number: int, count: int) -> str:
    """The page's colour of layer `number` of `count`, along a ramp from the input to the output.

    >>> css_layer(0, 3), css_layer(2, 3)
    ('var(--layer-0)', 'var(--layer-7)')
    """
    return f"var(--layer-{round(number * (LAYER_STEPS - 1) / max(count - 1, 1))})"
