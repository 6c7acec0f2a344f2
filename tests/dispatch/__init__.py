"""The sending, proven."""
