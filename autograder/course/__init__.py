"""A class through a term: a new course, what comes in, all hand-ins graded, whose score moved, who leaves."""
