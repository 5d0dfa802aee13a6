"""The report: one HTML file with all its figures."""
