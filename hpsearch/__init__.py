"""Hyperparameter search: few trainings, honest answers, every curve kept as Parquet."""

__version__ = "0.1.0"
