"""Files that run behind the wall, beside the learner's code. Nothing here is trusted or secret."""
