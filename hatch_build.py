"""Builds the consoles (web/ui) into web/static."""
