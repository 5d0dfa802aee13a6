"""How numbers are written for people: a dash for none, a real minus, intervals, per cents, sizes in bytes, lists."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Sequence

DASH = "–"


def number(value: float | None, pattern: str = ".3g", unit: str = "", minus: str = "−") -> str:
    """A number with its unit; a dash for None and NaN.

    Args:
        value: infinite too.
        pattern: of `format`.
        unit: what follows, with its blank.
        minus: the sign of what is negative; "-" where a terminal's font may lack the real one.

    >>> number(0.5), number(None), number(-2.0, ".1f", " %"), number(0.14, "#.3g"), number(-math.inf)
    ('0.5', '–', '−2.0 %', '0.140', '−∞')
    """
    if value is None or math.isnan(value):
        return DASH
    text = format(value, pattern).rstrip(".").replace("inf", "∞").replace("-", minus)
    return text + unit


def interval(ends: Sequence[float] | None, pattern: str = ".3g", scale: float = 1.0) -> str:
    """An interval in words; empty where there is none.

    >>> interval([0.951, 0.973], ".1f", 100), interval((0, math.inf)), interval(None)
    ('95.1 to 97.3', '0 to ∞', '')
    """
    return " to ".join(number(scale * end, pattern) for end in ends or ())


def percent(share: float | None, pattern: str = ".2f", unit: str = " %", minus: str = "−") -> str:
    """A share in per cent; a dash for None and NaN.

    >>> percent(0.12345), percent(0.5, ".0f", ""), percent(None)
    ('12.35 %', '50', '–')
    """
    return number(None if share is None else 100 * share, pattern, unit, minus)


def size(count: float) -> str:
    """A number of bytes with a binary unit.

    >>> size(4 * 2**30), size(1_500_000)
    ('4 GiB', '1.43 MiB')
    """
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} GiB"


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "seed"), counted(1797, "sample")
    ('1 seed', '1,797 samples')
    """
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"


def listed(names: Iterable[str]) -> str:
    """Names as a list in a sentence; empty where there are none.

    >>> listed(["mish", "silu", "elu"]), listed(["mish"]), listed([])
    ('mish, silu and elu', 'mish', '')
    """
    *others, final = [*names] or [""]
    return f"{', '.join(others)} and {final}" if others else final


def quoted(names: Iterable[str]) -> str:
    """Names as one word of a command line: in quotation marks where a shell would read parentheses otherwise.

    >>> quoted(["relu", "mish"]), quoted(["elu(alpha=0.5)", "relu"])
    ('relu,mish', "'elu(alpha=0.5),relu'")
    """
    return shlex.quote(",".join(names))
