"""What the operator tells us, proven."""
