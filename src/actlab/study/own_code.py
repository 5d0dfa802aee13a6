"""The functions of a user's own in a study: which they are, and whether their code is the one it was made with."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from actlab.errors import ActlabWarning
from actlab.functions import catalogue, import_activation
from actlab.functions.variants import bare


def functions_in(layers: Any) -> Iterator[str]:
    """Names of the fixed functions in layers, as they are or as they are written to a file."""
    if dataclasses.is_dataclass(layers) and not isinstance(layers, type):
        layers = {field.name: getattr(layers, field.name) for field in dataclasses.fields(layers)}
    for key, value in layers.items() if isinstance(layers, dict) else ():
        if key in ("activation", "function") and isinstance(value, str):
            yield value
    inner = layers.values() if isinstance(layers, dict) else layers if isinstance(layers, (list, tuple)) else ()
    for item in inner:
        yield from functions_in(item)


def import_functions(layers: Any) -> None:
    """Import the functions that layers name by "module:attribute"; raises InvalidFunction where one cannot be."""
    for name in functions_in(layers):
        if ":" in name:
            import_activation(name)


def registered(names: Iterable[str]) -> tuple[str, ...]:
    """Of some functions those that were registered in Python: neither their code nor where it lies can be told."""
    found = dict.fromkeys(bare(name) for name in names if ":" not in name)
    return tuple(name for name in found if name not in catalogue or catalogue.holds_own(name))


def source_digests(names: Iterable[str], told: Mapping[str, str] | None) -> dict[str, str] | None:
    """SHA-256 of the source of each function that was imported, by "module:attribute"; None where there is none.

    Args:
        names: of all functions of a study.
        told: what they were when the study was made; a warning says which are no longer so.
    """
    places = dict.fromkeys(bare(name) for name in names if ":" in name)
    found = {place: digest for place in places if place in catalogue and (digest := catalogue[place].source_digest)}
    for place, digest in found.items():
        former = told.get(place, digest) if isinstance(told, Mapping) else digest
        if former != digest:
            warnings.warn(
                f"the source of {place!r} is no longer the one that the study was made with (SHA-256 {former[:8]}… "
                f"then, {digest[:8]}… now): this is another study, and its results may differ.",
                ActlabWarning,
                stacklevel=2,
            )
    return found or None
