"""What decides whether an answer is right: questions, comparison, known mistakes, and the verdict in words."""
