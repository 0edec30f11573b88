"""The built-in training core: it trains wherever torch, NumPy, pyarrow, Pillow, pydantic and PyYAML are.

A search uses it through ``trainer.objective`` only, the door of ``hpsearch.contract``; alone it runs as
``python -m trainer``.
"""
