"""The checks of assignment 08, a file for each thing to write; ``08_clinic.py`` puts them together."""
