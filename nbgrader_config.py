"""The repository is an nbgrader course: its sources are in solutions/, what learners get is in exercises/."""

from autograder.nbgrader_plugins import configure

c = get_config()  # noqa: F821  (nbgrader defines it)
configure(c)
c.CourseDirectory.course_id = "vae"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.ignore = [
    ".ipynb_checkpoints",
    "__pycache__",
    "*.pyc",
    "*.py",  # the texts are not for learners
    "pictures",  # those to compare with are in the notebooks
]
