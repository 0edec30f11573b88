"""The 8x8 digits that come with scikit-learn: real images that need no network and no path."""

import numpy as np

from trainer.data.dataset import Dataset, held_out_split

SHAPE = (8, 8, 1)

TRAIN_IMAGES, TEST_IMAGES = 1_437, 360
"""The data set has no test split of its own: 36 images of each class are taken."""

_LARGEST = 16
"""Grey levels are counts of 0 to 16 set pixels in a 4x4 block of the original scan."""


def load_digits() -> Dataset:
    """Return the digits as (n, 8, 8, 1) images with grey levels stretched to 0..255 (Alpaydin and Kaynak, UCI 1998)."""
    from sklearn import datasets  # takes a second to import, which other data sets should not pay

    bunch = datasets.load_digits()
    images = np.rint(bunch.images[..., np.newaxis] * (255 / _LARGEST)).astype(np.uint8)
    labels = bunch.target.astype(np.int64)
    train, test = held_out_split(labels, TEST_IMAGES)
    classes = tuple(str(name) for name in bunch.target_names)
    return Dataset(images[train], labels[train], images[test], labels[test], classes)
