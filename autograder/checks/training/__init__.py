"""The checks of assignment 05, a file for each thing to write; ``05_training.py`` puts them together."""
