"""Checks of assignment 01, a file each."""
