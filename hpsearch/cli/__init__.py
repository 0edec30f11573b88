"""The command line: one file per command; ``console.py`` and ``watch.py`` do all the printing."""
