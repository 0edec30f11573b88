"""What is the same for every form in which CIFAR-10 is distributed (Krizhevsky 2009)."""

SIDE = 32
"""Height and width of an image in pixels; it has three channels, red, green and blue."""

SHAPE = (SIDE, SIDE, 3)

TRAIN_IMAGES, TEST_IMAGES = 50_000, 10_000

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
