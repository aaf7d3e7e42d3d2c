"""The checks of assignment 06, a file for each thing to write; ``06_generation.py`` puts them together."""
