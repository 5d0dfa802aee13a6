"""Figures and animations in Matplotlib, for notebooks, papers and slides."""
