"""Loss and accuracy of a network on one split."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from trainer import test_time
from trainer.batches import Normalizer, Split
from trainer.blocks import Precision, Views
from trainer.precision import as_input, autocast

BATCH = 500
"""Images per forward pass; it changes speed only."""


class Score(NamedTuple):
    """``loss``: mean cross-entropy in nats, without any smoothing; ``accuracy``: share of images, 0 to 1."""

    loss: float
    accuracy: float


NO_SCORE = Score(math.nan, math.nan)
"""Where nothing could be measured."""


@torch.inference_mode()
def evaluate(network: nn.Module, split: Split, normalize: Normalizer, precision: Precision, views: Views) -> Score:
    """Run ``network`` in evaluation mode over ``views`` of the images of ``split``; its own mode is restored."""
    was_training = network.training
    network.eval()
    loss = torch.zeros((), dtype=torch.float64, device=split.labels.device)
    correct = torch.zeros((), dtype=torch.int64, device=split.labels.device)
    for start in range(0, len(split), BATCH):
        pixels, labels = split.pixels[start : start + BATCH], split.labels[start : start + BATCH]
        with autocast(split.labels.device, precision):
            logits = test_time.logits(network, as_input(normalize(pixels), precision), views)
        loss += F.cross_entropy(logits, labels, reduction="sum")
        correct += (logits.argmax(1) == labels).sum()
    network.train(was_training)
    return Score(loss.item() / len(split), correct.item() / len(split))
