"""Where images come from and how they are split: CIFAR-10 (binary archive or Parquet) and scikit-learn's digits.

Every source ends in the same ``Dataset``: one uint8 array per split, height and width before channels. No pickle is
ever read, and data that cannot be found are an error, never replaced by other data.
"""

from trainer.data.dataset import Dataset, held_out_split, training_images
from trainer.data.sources import NAMES, Source, find, load

__all__ = ["NAMES", "Dataset", "Source", "find", "held_out_split", "load", "training_images"]
