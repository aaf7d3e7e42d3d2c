"""The checks of assignment 10; ``10_sharper.py`` puts them together."""
