"""The book on paper: its pages joined into one, and printed by Chromium."""
