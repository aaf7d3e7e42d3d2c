"""Checks of the short questions of assignment 03; ``03_sampling.py`` holds the others."""
