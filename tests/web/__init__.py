"""The desk, proven."""
