"""The story of the series, "How to Train Your ResNet" (D. Page, Myrtle AI, 2018-2019), post by post."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Chapter:
    """A row of the series that is no training recipe."""

    post: str
    about: str
    space: str | None = None
    """Name of the space file that runs it, if it is a search."""
    accuracy: float | None = None
    """Published test accuracy of what it arrives at."""
    seconds: float | None = None
    """Its published training time on a V100."""


STORY: tuple[str | Chapter, ...] = (
    "post1_baseline",
    "post2_batch512",
    "post3_1_fast_norm",
    "post3_2_cutout",
    "post3_3_batch768",
    "post4_1_shortcut",
    "post4_2_one_norm",
    "post4_3_conv3x3",
    "post4_4_pool",
    "post4_5_global_pool",
    "post4_6_scales",
    "post4_7_double_width",
    "post4_8_extra",
    Chapter(
        "4 search",
        "15 networks with extra or residual layers: residual in L1 and L3 wins, 93.7 to 93.8% at 20 epochs",
        space="architecture",
        seconds=66.0,
    ),
    "post4_resnet9",
    Chapter("5", "How the hyperparameters are tied, and tuning by doubling and halving them in turn", accuracy=0.942),
    Chapter("6", "How the norms of weights settle under batch norm and weight decay, and the link to LARS"),
    Chapter("7", "What batch norm does: outputs that do not drift, a flatter loss (hpsearch study batchnorm)"),
    "post8_01_device_augment",
    "post8_02_pool_first",
    "post8_03_label_smoothing",
    "post8_04_celu",
    "post8_05_ghost_norm",
    "post8_06_frozen_scales",
    "post8_07_whitening",
    "post8_07_higher_peak",
    "post8_08_average",
    "post8_09_flip_test",
    "post8_10_convergence",
)
"""Names of recipes and, between them, the chapters without one."""


def in_order(names: Iterable[str]) -> list[str | Chapter]:
    """Return the whole story, then the recipes among ``names`` that are not part of it."""
    return [*STORY, *(name for name in names if name not in STORY)]
