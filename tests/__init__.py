"""The proof: the same tree again, plus whole calls told as stories."""
