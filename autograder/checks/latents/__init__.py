"""The checks of assignment 07, a file for each thing to write; ``07_latents.py`` puts them together."""
