"""How far ``hpsearch study batchnorm`` goes: its options for a recipe, checked before anything trains."""

from dataclasses import asdict, dataclass
from typing import Any

from hpsearch.cli.study_subject import Subject
from hpsearch.errors import Problem, RecipeError
from trainer.batches import Shape
from trainer.diagnostics.partly_trained import LOWER, check_batches, check_norm, check_size, without_norm

TOLERANCE = 0.003
"""Largest residual of an eigenvalue that counts as converged, over the largest eigenvalue."""


@dataclass(frozen=True)
class Scope:
    """The options of the command; ``until`` in epochs, ``lr_without`` the peak learning rate without norm."""

    until: int
    lr_without: float
    batches: int
    batch_size: int
    depth: int
    eigenvalues: int
    products: int

    @classmethod
    def of(cls, subject: Subject, until: int | None, lr_without: float | None, **sizes: int) -> "Scope":
        """Return the scope of these options, ``sizes`` being the other fields.

        Raises RecipeError where they do not fit the recipe or the images.
        """
        recipe = subject.recipe
        end = max(1, recipe.epochs // 2) if until is None else until
        lr = LOWER * recipe.schedule.lr.peak if lr_without is None else lr_without
        scope = cls(end, lr, **sizes)
        check_norm(recipe)
        without_norm(recipe, lr)
        check_batches(recipe, subject.images_to_train_on, scope.batches, scope.batch_size)
        if end > recipe.epochs:
            what, allowed = "the training ends before", f"1 to {recipe.epochs} epochs"
            raise RecipeError(Problem(what, key="--until", got=str(end), allowed=allowed))
        if scope.products < scope.eigenvalues:
            what, got = "too few products with the Hessian for so many eigenvalues", str(scope.products)
            allowed = f"{scope.eigenvalues} or more"
            raise RecipeError(Problem(what, key="--products", got=got, allowed=allowed))
        check_size(recipe, Shape(*subject.source.shape), scope.eigenvalues)
        return scope

    @property
    def about(self) -> dict[str, Any]:
        """What makes two studies the same."""
        return {**asdict(self), "tolerance": TOLERANCE}
