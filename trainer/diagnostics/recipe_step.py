"""The training step of a recipe in pieces: what ``trainer.loop`` does, without the reports of an epoch."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from hpsearch.seeds import stream
from trainer import augment, losses
from trainer.batches import Normalizer, Split, batch_slices, shuffled
from trainer.diagnostics.step import Step
from trainer.loop import Images, Run, augmented, start
from trainer.precision import as_input, autocast, loss_scale
from trainer.recipe import Recipe


def of_recipe(recipe: Recipe, seed: int, device: torch.device, train: Split, classes: int) -> tuple[Step, Run]:
    """Return the step of ``recipe`` on the images ``train``, and the run that it changes.

    The steps are those of the epoch in the middle of the schedule, over and over, as the loop would take them there but
    for its last batch where that is smaller. The recipe's trace is left out, as it would take time.

    Raises RecipeError when the recipe does not fit the images.
    """
    run = start(recipe.model_copy(update={"trace": None}), seed, device, train, classes)
    epoch = _Epoch(run, train, recipe.epochs // 2)
    epoch.begin()
    step = Step(
        device=device,
        network=run.network,
        begin=epoch.begin,
        batch=epoch.batch,
        clear=lambda number: run.update.before(epoch.position(number)),
        predict=lambda inputs: _predict(run, inputs),
        loss=epoch.loss,
        update=lambda number: _update(run, epoch.position(number)),
        epoch_steps=epoch.steps,
        period=recipe.average.every if recipe.average else 1,
    )
    return step, run


@dataclass
class _Epoch:
    """The batches of epoch ``number`` of a run, and what the loop keeps account of."""

    run: Run
    train: Split
    number: int
    order: Tensor = field(init=False)
    images: Images = field(init=False)

    def __post_init__(self) -> None:
        recipe, device = self.run.recipe, self.run.device
        self.normalize = Normalizer(recipe.data.mean, recipe.data.std, device)
        batches = batch_slices(len(self.train), recipe.batch_size, recipe.drop_last)
        self.steps = len(batches)
        self.full = [batch for batch in batches if batch.stop - batch.start == recipe.batch_size]
        self.totals = torch.zeros(2, device=device)

    def begin(self) -> None:
        """Draw the order of the images and all random choices."""
        run, shape = self.run, self.train.shape
        self.order = shuffled(len(self.train), stream(run.seed, "order", self.number), run.device)
        choices = augment.draw(run.recipe.augment, self.order, shape, run.seed, self.number, run.device)
        self.images = augmented(self.train, run.recipe.augment, self.order, choices, self.normalize)

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        batch = self.full[number % len(self.full)]
        return self.images(batch), self.train.labels[self.order[batch]]

    def position(self, number: int) -> float:
        """Return where in the schedule a step is, in epochs."""
        return self.number + (number % len(self.full) + 1) / self.steps

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        loss = losses.cross_entropy(logits.float(), labels, self.run.recipe.label_smoothing)
        self.totals += torch.stack([loss.detach() * len(labels), (logits.argmax(1) == labels).sum()])
        return loss * loss_scale(self.run.precision, self.run.recipe.batch_size)


def _predict(run: Run, inputs: Tensor) -> Tensor:
    with autocast(run.device, run.precision):
        logits: Tensor = run.network(as_input(inputs, run.precision))
    return logits


def _update(run: Run, position: float) -> None:
    run.update.step(position, loss_scale(run.precision, run.recipe.batch_size))
    if run.average:
        run.average.update()
