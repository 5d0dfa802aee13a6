"""actlab: the laboratory for activation functions.

Train the same network with many activation functions over many seeds, see what happened in every layer, and compare
with honest statistics. Names are imported when they are first used: `import actlab` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actlab.errors import ActlabError
    from actlab.functions import Activation, catalogue, register, unregister
    from actlab.laboratory import run
    from actlab.laboratory.diagnosing import diagnose
    from actlab.laboratory.watching import watch
    from actlab.layers import Act, Conv, Dense, Dropout, Flatten, MaxPool
    from actlab.recipes import recipe
    from actlab.statistics import summarise
    from actlab.study import Study
    from actlab.views.figures.recording import Recording, load
    from actlab.views.report.report import report

__version__ = "0.1.0"

_HOMES = {
    "ActlabError": "errors",
    "Act": "layers",
    "Activation": "functions",
    "Conv": "layers",
    "Dense": "layers",
    "Dropout": "layers",
    "Flatten": "layers",
    "MaxPool": "layers",
    "Recording": "views.figures.recording",
    "Study": "study",
    "catalogue": "functions",
    "diagnose": "laboratory.diagnosing",
    "heal": "laboratory.healing",
    "load": "views.figures.recording",
    "recipe": "recipes",
    "register": "functions",
    "report": "views.report.report",
    "run": "laboratory",
    "summarise": "statistics",
    "unregister": "functions",
    "watch": "laboratory.watching",
}

__all__ = [
    "Act",
    "Activation",
    "ActlabError",
    "Conv",
    "Dense",
    "Dropout",
    "Flatten",
    "MaxPool",
    "Recording",
    "Study",
    "catalogue",
    "diagnose",
    "load",
    "recipe",
    "register",
    "report",
    "run",
    "summarise",
    "unregister",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'actlab' has no attribute {name!r}; it has: {', '.join(__all__)}")
    value = getattr(import_module(f"actlab.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
