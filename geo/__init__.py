"""The where: places, how sure we are of them, and how far apart they are."""
