"""The functions, a module for each family: descriptions and rules over an array namespace."""
