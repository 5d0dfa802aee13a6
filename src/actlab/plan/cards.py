"""What the views show of a function: sampled when a recording begins, so that they need no code of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from actlab.functions import catalogue

# Of a function's record, what the views show.
CARD = ("title", "formula", "latex", "family", "year", "source", "kind", "parameters", "facts")


def card_of(name: str) -> dict[str, Any]:
    """The card of a function of the catalogue; its curve from −6 to 6, none of functions that mix units."""
    function = catalogue[name]
    record = function.to_dict()
    card: dict[str, Any] = {key: record[key] for key in CARD}
    if function.source_code:
        card |= {"source_code": function.source_code, "source_digest": function.source_digest}
    x = np.linspace(-6, 6, 241)
    curves = function.kind != "grouping"
    card["x"] = x.tolist() if curves else None
    card["value"] = function(x).tolist() if curves else None
    card["derivative"] = function.derivative(x).tolist() if curves else None
    return card
