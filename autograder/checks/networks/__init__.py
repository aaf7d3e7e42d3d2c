"""The checks of assignment 04, a file for each thing to write; ``04_networks.py`` puts them together."""
