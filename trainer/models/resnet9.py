"""The backbone that post 4 of "How to Train Your ResNet" (D. Page, 2018) searches over, and what post 8 makes of it."""

from torch import Tensor, nn

from trainer.blocks import ResNet9 as Spec
from trainer.blocks import Stages
from trainer.models.layers import Activation, ConvNorm, Head, Residual, pass_inputs_on
from trainer.models.whitening import Whitening


class ResNet9(nn.Module):
    """A stem, three stages that each halve the image, and a head.

    With width 64, widths 2, 4, 8 and residual blocks in L1 and L3 this is the ResNet-9 of post 4: 6.6 million
    parameters, 0.38 billion multiply-adds per 32x32 image.
    """

    def __init__(self, channels: int, classes: int, spec: Spec) -> None:
        super().__init__()
        self.stem, width = _stem(channels, spec)
        layers: list[nn.Module] = []
        for stage, multiple in zip(("L1", "L2", "L3"), spec.widths, strict=True):
            layers += _stage(width, multiple * spec.width, stage, spec)
            width = multiple * spec.width
        self.stages = nn.Sequential(*layers)
        self.head = Head(width, classes, spec.head == "concat", spec.linear_bias, spec.logit_scale)
        if spec.filters == "dirac":
            pass_inputs_on(self.stages)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (n, channels, h, w), at least 8x8, to logits (n, classes)."""
        logits: Tensor = self.head(self.stages(self.stem(images)))
        return logits


def _stem(channels: int, spec: Spec) -> tuple[nn.Sequential, int]:
    """Return the first layers and their number of output channels."""
    if spec.whitening is None:
        return nn.Sequential(ConvNorm(channels, spec.width, spec)), spec.width
    whitening = Whitening(channels, spec.whitening)
    if spec.whitening.mix:
        return nn.Sequential(whitening, ConvNorm(whitening.outputs, spec.width, spec, kernel=1)), spec.width
    return nn.Sequential(whitening, Activation(spec)), whitening.outputs


def _stage(inputs: int, outputs: int, stage: str, spec: Spec) -> list[nn.Module]:
    layers: list[nn.Module] = [ConvNorm(inputs, outputs, spec, downsample=spec.downsample)]
    if _has(spec.extra, stage):
        layers.append(ConvNorm(outputs, outputs, spec))
    if _has(spec.residual, stage):
        layers.append(Residual(outputs, spec))
    return layers


def _has(stages: Stages, stage: str) -> bool:
    return stage in stages.split("+")
