"""A finding as data, and what becomes of it where another one is its cause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actlab.wording import percent

Finding = dict[str, Any]


def finding(
    code: str, severity: str, sentence: str, evidence: Mapping[str, Any], *, activation: str | None = None,
    layer: str | None = None, remedy: str | None = None, step: int | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> Finding:  # fmt: skip
    """A finding, which follows from no other one yet.

    Args:
        code: its name for programs, one of `CODES`.
        severity: "warning" or "info".
        sentence: what was measured.
        evidence: the numbers of the sentence.
        activation: whose; None for what concerns all.
        layer: where.
        remedy: what would help, in a sentence.
        step: of the optimiser at which it was found, in a training that is watched.
        thresholds: what numbers of the evidence are held against, by their names; they become a part of it.
    """
    return {
        "code": code,
        "severity": severity,
        "activation": activation,
        "layer": layer,
        "step": step,
        "sentence": sentence,
        "evidence": dict(evidence) | ({"thresholds": dict(thresholds)} if thresholds else {}),
        "cause": None,
        "help": remedy,
    }


def when(epoch: int) -> str:
    """An epoch in words.

    >>> when(0), when(3)
    ('untrained', 'after epoch 3')
    """
    return "untrained" if epoch == 0 else f"after epoch {epoch}"


def share(value: float) -> str:
    """A share in per cent: two digits, whole from 100 on.

    >>> share(0.00123), share(2.5)
    ('0.12 %', '250 %')
    """
    return percent(value, ".2g" if value < 0.995 else ",.0f", minus="-")
