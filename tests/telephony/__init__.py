"""Real SIP calls through a real Asterisk."""
