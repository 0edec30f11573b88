import numpy as np
from sklearn import datasets

from trainer.data import Dataset


def test_digits_are_the_images_of_scikit_learn(digits: Dataset) -> None:
    assert digits.train_images.shape == (1_437, 8, 8, 1) and digits.test_images.shape == (360, 8, 8, 1)
    assert digits.train_images.dtype == np.uint8 and digits.train_labels.dtype == np.int64
    assert (np.bincount(digits.test_labels) == 36).all()
    assert digits.classes == tuple("0123456789")

    original = datasets.load_digits()
    levels = {int(level): round(level * 255 / 16) for level in np.unique(original.images)}
    scaled = [
        (bytes(levels[int(level)] for level in image.ravel()), int(label))
        for image, label in zip(original.images, original.target, strict=True)
    ]
    images = np.concatenate([digits.train_images, digits.test_images])
    labels = np.concatenate([digits.train_labels, digits.test_labels])
    ours = [(image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True)]
    assert sorted(ours) == sorted(scaled)
    assert images.max() == 255 and images.min() == 0


def test_digits_are_whole_images(digits: Dataset) -> None:
    """A nearest-neighbour classifier recognises them: pixels and labels belong together."""
    train = digits.train_images.reshape(len(digits.train_images), -1).astype(float)
    test = digits.test_images.reshape(len(digits.test_images), -1).astype(float)
    nearest = ((test[:, None] - train) ** 2).sum(-1).argmin(1)
    assert (digits.train_labels[nearest] == digits.test_labels).mean() > 0.97
