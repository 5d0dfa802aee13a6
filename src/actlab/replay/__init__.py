"""A network computed again from its recorded weights, in NumPy."""
