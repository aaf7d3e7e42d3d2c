"""The checks of assignment 09, a file for each thing to write; ``09_tighter.py`` puts them together."""
