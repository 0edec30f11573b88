"""Running the trials of a search: one controller (``search.py``), one process or Ray Tune underneath it."""
