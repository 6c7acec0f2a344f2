"""The desk: the HTTP interface and the consoles people look at."""
