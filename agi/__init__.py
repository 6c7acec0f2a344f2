"""The telephone: turns what Asterisk says into records, and never keeps a caller waiting."""
