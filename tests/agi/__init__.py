"""The telephone, proven."""
