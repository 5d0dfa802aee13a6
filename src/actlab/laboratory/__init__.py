"""A study from end to end: rates chosen, seeds added, trained, recorded, summarised, reported."""

from actlab.laboratory.comparison import run, write_results

__all__ = ["run", "write_results"]
