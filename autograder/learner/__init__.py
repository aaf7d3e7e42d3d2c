"""What runs on a learner's machine: exercises, checks in a notebook or a file, and a look before handing in."""
