"""mpmath references of every function of one variable, by family. See `jets` for what they are made of."""

from __future__ import annotations

import importlib
import pkgutil

from tests.references.reference import Reference, as_float

REFERENCES: dict[str, Reference] = {}
for _module in pkgutil.iter_modules(__path__):
    REFERENCES |= getattr(importlib.import_module(f"{__name__}.{_module.name}"), "REFERENCES", {})

__all__ = ["REFERENCES", "Reference", "as_float"]
