"""The terminal itself: what it can do, how fast it drains, how it is left as it was."""
