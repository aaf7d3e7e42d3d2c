"""How a room is made and proven: its notebooks, its pictures, and its checks tried on known mistakes."""
