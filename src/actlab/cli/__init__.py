"""The command line: `actlab functions | recipes | task | compare | report | power | figure | animate | export`."""

from actlab.cli.application import app, main

__all__ = ["app", "main"]
