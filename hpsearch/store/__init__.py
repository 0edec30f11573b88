"""The store: one folder per study, Parquet tables and two JSON files, readable by anybody at any moment.

``results/README.md`` describes the layout for its users; ``schema.py`` is the one place that names the columns.
"""
