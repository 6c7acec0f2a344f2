"""The where, proven."""
