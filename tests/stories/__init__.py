"""Whole calls, from ring to cleared, on real parts."""
