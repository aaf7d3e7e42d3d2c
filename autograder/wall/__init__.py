"""The wall: learners' code runs in a bubblewrap sandbox, and is reached through two folders and ipc sockets.

``sandbox`` says what the sandbox may see, ``kernel`` talks to the process inside, ``inside`` holds the files that run
there.
"""

from autograder.wall.kernel import CellRun, WalledKernel
from autograder.wall.limits import Limits
from autograder.wall.sandbox import WallError, require_wall

__all__ = ["CellRun", "Limits", "WallError", "WalledKernel", "require_wall"]
