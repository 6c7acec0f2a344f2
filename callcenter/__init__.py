"""The record: what was called in, what became of it, and the ledger that never forgets."""
