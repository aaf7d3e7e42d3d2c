"""What people read afterwards: feedback, the formgrader, the instructor's page, and files for other systems."""
