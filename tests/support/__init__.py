"""Fakes, builders and real parts that many tests use."""
