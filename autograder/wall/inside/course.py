"""Stands in for the package ``autograder`` behind the wall, where the checks themselves cannot be seen."""


def check(function: object, **_: object) -> None:
    """Do nothing: a hand-in's checks run outside, when their turn comes."""


__all__ = ["check"]
