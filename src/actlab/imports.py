"""What a user wrote, imported by where it stands: "module:attribute", the folder one is in among the places."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any


def imported(name: str) -> Any:
    """The attribute of a module that `name`, "module:attribute", says.

    Raises:
        ImportError: there is no such module or attribute, or the module raises something while it is imported; its
            text is the reason, in one line.

    >>> imported("math:tau") > 6
    True
    """
    module, _, attribute = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # Whatever the module raises while it is imported.
        known = isinstance(error, (ImportError, AttributeError))
        reason = " ".join(f"{'' if known else f'{type(error).__name__}: '}{error}".split())
        raise ImportError(reason[:300]) from error
    finally:
        sys.path.pop(0)
