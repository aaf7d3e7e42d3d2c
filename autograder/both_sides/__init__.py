"""What stands on both sides of the wall: calls and their answers, and the things that checks hand out.

Learners' code sees these files while it is graded, so nothing here may know an answer.
"""
