"""The sending: who should go, who was asked, who answered, and pushing it to them now."""
