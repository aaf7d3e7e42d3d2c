"""The wall: learners' code runs in a bubblewrap sandbox, and is reached through two folders and ipc sockets.

``sandbox`` says what the sandbox may see, ``places`` starts what runs there, ``lane`` hands out running kernels,
``kernel`` talks to one of them, ``inside`` holds the files that run there.
"""

from autograder.wall.lane import Lane
from autograder.wall.limits import Limits
from autograder.wall.places import OwnSandbox, Place
from autograder.wall.sandbox import WallError, require_wall

__all__ = ["Lane", "Limits", "OwnSandbox", "Place", "WallError", "require_wall"]
