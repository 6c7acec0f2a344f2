"""The containers: built from nothing, started as an operator would, rung by a real caller, and taken away."""
