"""The networks of ``hpsearch study batchnorm``: trained once for each seed, and kept in the folder of the study."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from hpsearch.cli import console
from hpsearch.cli.study_batchnorm_scope import Scope
from hpsearch.cli.study_subject import Subject
from hpsearch.cli.train import epoch_line
from hpsearch.contract import Report
from hpsearch.errors import Problem, RecipeError
from hpsearch.store.diagnostics import Diagnostics
from hpsearch.store.files import cannot_write
from trainer.batches import Split
from trainer.diagnostics import partly_trained
from trainer.diagnostics.norm_mode import Mode
from trainer.diagnostics.partly_trained import Trained
from trainer.recipe import Recipe

MODES: dict[str, Mode] = {"batch_norm": "batch", "frozen_batch_norm": "running", "no_norm": "running"}
"""The three networks, and what they are normalised by."""

REFRESHED_ON = 16
"""Batches of training images, at most, that the statistics of frozen batch norm are of."""


@dataclass(frozen=True, eq=False)
class Networks:
    """The networks of one study, with contiguous channels in memory: second derivatives are faster so."""

    subject: Subject
    scope: Scope
    study: Diagnostics

    @cached_property
    def batches(self) -> list[tuple[Tensor, Tensor]]:
        """The fixed batches that all is measured on."""
        found = partly_trained.fixed_batches(self._recipe, self._train, self.scope.batches, self.scope.batch_size)
        return [(inputs.contiguous(), labels) for inputs, labels in found]

    def initial(self, name: str, seed: int) -> nn.Module:
        """Return one of ``MODES`` before its training."""
        recipe = self._without_norm(self.scope.lr_without) if name == "no_norm" else self._recipe
        return _plain(partly_trained.initial(recipe, seed, self._train, self.subject.classes))

    def trained(self, name: str, seed: int) -> Trained:
        """Return one of ``MODES``: as it is kept, or else made now and kept from now on.

        Raises RecipeError where the training diverges, one without norm also at lower rates, and StudyError where the
        network cannot be kept.
        """
        file = self.study.path("trained", f"{name}-s{seed}.pt")
        if file.exists():
            return partly_trained.saved(file, self.initial(name, seed))
        made = self._frozen(seed) if name == "frozen_batch_norm" else self._fitted(name, seed)
        _plain(made.network)
        try:
            made.save(file)
        except OSError as cause:
            raise cannot_write(file, cause) from cause
        return made

    def _frozen(self, seed: int) -> Trained:
        size = self.scope.batch_size
        count = min(REFRESHED_ON, len(self._train) // size)
        batches = partly_trained.fixed_batches(self._recipe, self._train, count, size)
        return partly_trained.frozen(self.trained("batch_norm", seed), (images.contiguous() for images, _ in batches))

    def _fitted(self, name: str, seed: int) -> Trained:
        for recipe in self._attempts(name):
            fitted = self._fit(recipe, seed)
            if not fitted.facts.diverged:
                return fitted
            lr = recipe.schedule.lr.peak
            console.note(f"     diverged at a peak learning rate of {lr:.3g}")
        what, hint = "the training diverged", "lower it with --set lr=, or that without norm with --lr-without"
        raise RecipeError(Problem(what, key="lr", got=f"{lr:.3g}", hint=hint))

    def _attempts(self, name: str) -> Iterator[Recipe]:
        if name != "no_norm":
            yield self._recipe
            return
        for number in range(partly_trained.TRIES):
            yield self._without_norm(self.scope.lr_without * partly_trained.GENTLER**number)

    def _fit(self, recipe: Recipe, seed: int) -> Trained:
        def watch(report: Report) -> None:
            console.note(f"     {epoch_line(dict(report), recipe.epochs)}")

        classes, until = self.subject.classes, self.scope.until
        return partly_trained.train_until(recipe, seed, self._train, self.subject.images["val"], classes, until, watch)

    def _without_norm(self, lr: float) -> Recipe:
        return partly_trained.without_norm(self._recipe, lr)

    @property
    def _recipe(self) -> Recipe:
        return self.subject.recipe

    @property
    def _train(self) -> Split:
        return self.subject.images["train"]


def _plain(network: nn.Module) -> nn.Module:
    plain: nn.Module = network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return plain
