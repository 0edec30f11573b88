"""What ``hpsearch study batchnorm`` measures on its networks, part by part, as rows of its tables."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import get_args

import torch
from torch import Tensor

from hpsearch.cli import console
from hpsearch.cli.study_batchnorm_networks import MODES, Networks
from hpsearch.cli.study_batchnorm_scope import TOLERANCE
from hpsearch.cli.study_session import Part
from hpsearch.seeds import derived_seed
from hpsearch.store.diagnostics import Row, Rows
from trainer.diagnostics import deep_nets, moments, perturbation, stability
from trainer.diagnostics.hessian import Hessian, flatten, trainable
from trainer.diagnostics.lanczos import Spectrum, leading
from trainer.diagnostics.layer_statistics import mean_over_spread
from trainer.diagnostics.partly_trained import Trained
from trainer.losses import cross_entropy

SPANS = ("means", "means and variances", "means, variances and skews")

CHANNELS, SHRINK = 128, 4
"""Of the deep plain networks: channels, many so that theory, which is of infinitely many, is near; and pixels a side
that are averaged to one at first, to save time."""

MOVE = 0.01
"""Length of a step of the parameters over theirs (post 7)."""

FACTORS = (0.5, 2.0)
"""Learning rates to try, over the highest that should be stable."""

STEPS = 30
"""Of gradient descent at each: what grows threefold a step does so by 14 decades."""

SAID_EVERY = 20
"""Products with the Hessian between two lines of progress."""


@dataclass(frozen=True, eq=False)
class Measurements:
    """All that is measured on ``networks``."""

    networks: Networks

    def parts(self) -> list[Part]:
        """Return the work, seed by seed."""
        return [part for seed in self.networks.subject.seeds for part in self._of(seed)]

    def _of(self, seed: int) -> Iterator[Part]:
        scope = self.networks.scope
        what = f"seed {seed}: networks of {scope.depth} layers, not trained"
        yield Part(f"initial-s{seed}", what, partial(self._initial, seed))
        for name in MODES:
            work = (
                ("moves", f"{console.counted(scope.until, 'epoch')}, then small steps to each output", self._moves),
                ("hessian", "largest eigenvalues of the Hessian, descents beside its limit", self._hessian),
                ("outside", "eigenvalues outside the span of the outputs' moments", self._outside),
            )
            for ending, what, compute in work:
                title = f"seed {seed}, {name.replace('_', ' ')}: {what}"
                yield Part(f"{name}-s{seed}-{ending}", title, partial(compute, name, seed))

    def _initial(self, seed: int) -> Rows:
        inputs = [self.networks.batches[0][0]]
        on_cpu = [images.cpu() for images in inputs]  # where networks are drawn, the same for all devices
        found = {kind: self._deep(kind, seed, on_cpu) for kind in get_args(deep_nets.Kind)}
        for title, name in (("recipe", "batch_norm"), ("recipe_without_norm", "no_norm")):
            found[title] = mean_over_spread(self.networks.initial(name, seed), inputs, MODES[name])
        rows = [
            {"network": title, "seed": seed, "depth": depth, "layer": layer, "mean_over_spread": ratio}
            for title, layers in found.items()
            for depth, (layer, ratio) in enumerate(layers, start=1)
        ]
        return {"init_layers": rows}

    def _deep(self, kind: deep_nets.Kind, seed: int, inputs: list[Tensor]) -> list[tuple[str, float]]:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derived_seed(seed, "init"))
            depth, channels = self.networks.scope.depth, inputs[0].shape[1]
            network = deep_nets.deep_net(kind, depth, CHANNELS, channels, SHRINK, inputs)
        return mean_over_spread(network, inputs, deep_nets.MODES[kind])

    def _moves(self, name: str, seed: int) -> Rows:
        """Train the network if it is not there yet, and move it towards each of its outputs."""
        trained, batches, mode = self.networks.trained(name, seed), self.networks.batches, MODES[name]
        gradients = moments.moment_gradients(trained.network, batches, mode)[0]
        shifted = perturbation.towards_output(trained.network, self._loss, batches, mode, gradients, MOVE)
        norms = [perturbation.squared_norms(gradient, trained.network) for gradient in gradients]
        key, before = {"network": name, "seed": seed}, shifted[0].before
        return {
            "networks": [{**key, **self._facts(trained), "loss": before.loss, "accuracy": before.accuracy}],
            "perturbations": [{**key, **_moved(each)} for each in shifted],
            "gradient_norms": [
                {**key, "output": output, "position": position, "layer": layer, "squared_norm": value}
                for output, by_layer in enumerate(norms)
                for position, (layer, value) in enumerate(by_layer.items())
            ],
        }

    def _facts(self, trained: Trained) -> Row:
        parameters = flatten(trainable(trained.network)).detach()
        facts = asdict(trained.facts)
        facts.pop("diverged")
        images = sum(len(labels) for _, labels in self.networks.batches)
        sizes = {"parameters": len(parameters), "norm": float(parameters.norm()), "images": images}
        return {**facts, **sizes, "batch_size": self.networks.scope.batch_size}

    def _hessian(self, name: str, seed: int) -> Rows:
        hessian, key = self._of_loss(name, seed), {"network": name, "seed": seed}
        found = self._leading(hessian, seed)
        descents = [self._descent(hessian, found.values[0].item(), factor) for factor in FACTORS]
        return {
            "eigenvalues": [{**key, **row} for row in _eigenvalues(found, "", 0)],
            "overlaps": [{**key, **row} for row in self._overlaps(hessian, found)],
            "descents": [{**key, **row} for rows in descents for row in rows],
        }

    def _outside(self, name: str, seed: int) -> Rows:
        hessian = self._of_loss(name, seed)
        gradients = moments.moment_gradients(hessian.module, self.networks.batches, hessian.mode)
        basis = moments.span(gradients.flatten(0, 1))
        found = self._leading(hessian, seed, basis)
        rows = _eigenvalues(found, SPANS[-1], basis.shape[1])
        return {"eigenvalues": [{"network": name, "seed": seed, **row} for row in rows]}

    def _of_loss(self, name: str, seed: int) -> Hessian:
        return Hessian(self.networks.trained(name, seed).network, self._loss, self.networks.batches, MODES[name])

    def _leading(self, hessian: Hessian, seed: int, outside: Tensor | None = None) -> Spectrum:
        def say(products: int, residual: float) -> None:
            if products % SAID_EVERY == 0:
                console.note(f"     {products} products, residual {residual:.2g} of the largest eigenvalue")

        scope = self.networks.scope
        return leading(
            hessian.times,
            hessian.size,
            scope.eigenvalues,
            most_steps=scope.products,
            tolerance=TOLERANCE,
            seed=derived_seed(seed, "lanczos"),
            device=self.networks.subject.device,
            outside=outside,
            watch=say,
        )

    def _overlaps(self, hessian: Hessian, found: Spectrum) -> Iterator[Row]:
        gradients = moments.moment_gradients(hessian.module, self.networks.batches, hessian.mode)
        for count, name in enumerate(SPANS, start=1):
            basis = moments.span(gradients[:count].flatten(0, 1))
            span = {"span": name, "span_size": basis.shape[1], "chance": basis.shape[1] / hessian.size}
            for index, value in enumerate(moments.overlap(found.vectors, basis).tolist(), start=1):
                yield {"index": index, "overlap": value, **span}

    def _descent(self, hessian: Hessian, largest: float, factor: float) -> list[Row]:
        """Descend at ``factor`` times the highest rate that should be stable, if there is one."""
        if largest <= 0:
            return []
        lr, bound = factor * 2 / largest, self.networks.subject.recipe.stop.loss_bound
        losses = stability.descend(hessian.module, self._loss, hessian.batches, hessian.mode, lr, STEPS, bound)
        common = {"factor": factor, "lr": lr, "grows": stability.grows(losses)}
        return [{"step": step, "loss": loss, **common} for step, loss in enumerate(losses)]

    def _loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(outputs, labels, self.networks.subject.recipe.label_smoothing)


def _moved(found: perturbation.Shifted) -> Row:
    return {
        "output": found.towards,
        "size": MOVE,
        "accuracy_before": found.before.accuracy,
        "accuracy": found.after.accuracy,
        "share_before": found.share_before,
        "share": found.share_after,
    }


def _eigenvalues(found: Spectrum, outside: str, outside_size: int) -> list[Row]:
    rows = zip(found.values.tolist(), found.residuals.tolist(), found.converged.tolist(), strict=True)
    common = {"outside": outside, "outside_size": outside_size, "products": found.steps}
    return [
        {**common, "index": index, "value": value, "residual": residual, "converged": converged}
        for index, (value, residual, converged) in enumerate(rows, start=1)
    ]
