"""The network of posts 1 to 3: the ResNet-18 variant that led the DAWNBench table, without its redundant norms."""

from torch import Tensor, nn

from trainer.blocks import Dawn as Spec
from trainer.models.layers import Head, PreActivation

WIDTHS, STRIDES = (1, 2, 4, 4), (1, 2, 2, 2)
"""Of the four stages: channels in multiples of the first convolution's, and by what the image shrinks."""


class Dawn(nn.Module):
    """A 3x3 convolution, four stages of two pre-activation blocks, pooling of both kinds, a linear layer with bias."""

    def __init__(self, channels: int, classes: int, spec: Spec) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, spec.width, 3, padding=1, bias=False)
        blocks: list[nn.Module] = []
        inputs = spec.width
        for multiple, stride in zip(WIDTHS, STRIDES, strict=True):
            outputs = multiple * spec.width
            blocks.append(PreActivation(inputs, outputs, stride, spec, spec.branches))
            blocks.append(PreActivation(outputs, outputs, 1, spec, spec.branches))
            inputs = outputs
        self.stages = nn.Sequential(*blocks)
        self.head = Head(inputs, classes, concat=True, bias=True, scale=spec.logit_scale)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (n, channels, h, w) to logits (n, classes)."""
        logits: Tensor = self.head(self.stages(self.stem(images)))
        return logits
