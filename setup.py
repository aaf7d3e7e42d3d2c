"""What pyproject.toml cannot say: the folder of the released exercises is installed inside the package autograder."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["vae_ref*", "autograder*"]), "autograder.exercises"],
    package_dir={"autograder.exercises": "exercises"},
)
