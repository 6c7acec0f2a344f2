"""The record, proven."""
