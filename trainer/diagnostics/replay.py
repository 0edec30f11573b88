"""What a network still knows of the batches it was trained on, by how long ago each of them was: replay (post 2).

A run draws the order and the augmentation of an epoch from streams of random numbers that are named by seed and epoch,
so the batches of an epoch that has passed can be made again, to the last pixel.
"""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from hpsearch.seeds import stream
from trainer import augment
from trainer.augment import Choices
from trainer.batches import Normalizer, Split, batch_slices, shuffled
from trainer.blocks import Precision, Stop
from trainer.diagnostics.norm_mode import norm_layers, refresh_statistics, running_statistics
from trainer.precision import as_input
from trainer.recipe import Recipe

Loss = Callable[[Tensor, Tensor], Tensor]
"""The mean loss of logits and labels, a scalar."""
Batch = tuple[Tensor, Tensor]
"""The inputs of a network and their labels."""


@torch.inference_mode()
def replay(module: nn.Module, loss: Loss, batches: Iterable[Batch]) -> list[float]:
    """Return the mean loss of the frozen ``module`` on each of ``batches``, in their order.

    Evaluation mode; neither parameters nor statistics change. Where the module computes in another format, call it
    inside autocast.
    """
    with running_statistics(module):
        losses = [loss(module(inputs).float(), labels) for inputs, labels in batches]
    return torch.stack(losses).tolist() if losses else []


def freeze(module: nn.Module, batches: Iterable[Batch]) -> None:
    """Set the running statistics of ``module``, where it has any, to their average over ``batches``.

    Those of training are a memory of the latest batches: judged by them, recent batches could look better known.
    """
    if norm_layers(module):
        refresh_statistics(module, (inputs for inputs, _ in batches))


def past_batches(recipe: Recipe, seed: int, epoch: int, split: Split, precision: Precision) -> Iterator[Batch]:
    """Give the batches of ``epoch`` (from 0) of the run with this ``seed``, in the order in which they were seen.

    Order, crops, mirror images and cutout are those of the run. For an epoch, or images, that the run never saw, the
    batches are what it would have seen.
    """
    device = split.labels.device
    order = shuffled(len(split), stream(seed, "order", epoch), device)
    choices = augment.draw(recipe.augment, order, split.shape, seed, epoch, device)
    normalize = Normalizer(recipe.data.mean, recipe.data.std, device)
    for batch in batch_slices(len(split), recipe.batch_size, recipe.drop_last):
        inputs = _seen(recipe, split, order[batch], choices[batch], normalize)
        yield as_input(inputs, precision), split.labels[order[batch]]


def _seen(recipe: Recipe, split: Split, images: Tensor, choices: Choices, normalize: Normalizer) -> Tensor:
    inputs = normalize(augment.crop_and_flip(split.pixels, images, choices))
    return augment.cutout_(inputs, recipe.augment.cutout, choices)


def held(recipe: Recipe, factor: float, epochs: int) -> Recipe:
    """Return ``recipe`` for a run of ``epochs`` whose learning rate rises to ``factor`` times its peak and stays there.

    Every batch of the last epoch is then learnt at the same rate, so that all that tells them apart is their age. The
    rise is the recipe's own, and so are weight decay and momentum. Nothing but divergence ends the run early, and
    neither an average nor a trace is kept. Raises ValueError where the last epoch begins before the peak.
    """
    lr = recipe.schedule.lr
    first = lr.values.index(lr.peak)
    if lr.epochs[first] > epochs - 1:
        raise ValueError(f"the learning rate still rises in epoch {epochs}: it peaks at {lr.epochs[first]:g} epochs")
    values = [factor * value for value in lr.values[: first + 1]]
    constant = type(lr).model_validate({"epochs": lr.epochs[: first + 1], "values": values})
    schedule = recipe.schedule.model_copy(update={"lr": constant})
    stop = Stop(loss_bound=recipe.stop.loss_bound, target_accuracy=None, patience=None, max_seconds=None)
    kept = {"epochs": epochs, "schedule": schedule, "stop": stop, "average": None, "trace": None}
    return recipe.model_copy(update=kept)


def halved(split: Split) -> Split:
    """Return every other image of ``split``: also of images that are sorted, half of each class."""
    return Split(split.pixels[::2].contiguous(), split.labels[::2].contiguous(), split.shape)
