"""A recording for a paper: its numbers as CSV files, its table in LaTeX, and how it was compared in sentences."""

from actlab.views.paper.latex import write_table
from actlab.views.paper.methods import methods, write_methods
from actlab.views.paper.tables import write_tables

__all__ = ["methods", "write_methods", "write_table", "write_tables"]
