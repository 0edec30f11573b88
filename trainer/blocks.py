"""The blocks of a recipe file: data, network, update rule, augmentation, averaging, when to stop, what is known."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from hpsearch.typed_yaml import Typed, wrong

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Size = Annotated[int, Field(ge=0)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
_PER_CHANNEL = Field(strict=False, min_length=1, max_length=4)
Precision = Literal["fp32", "bf16", "fp16", "fp16_whole"]
Views = Literal["none", "flip", "crops"]
Stages = Literal["none", "L1", "L2", "L3", "L1+L2", "L1+L3", "L2+L3", "L1+L2+L3"]


class Data(Typed):
    """Which images, and how they are normalised."""

    name: str
    """Name of a data set (``trainer.data.NAMES``)."""
    held_out: Count
    """Training images held out to judge a setting by."""
    train_images: Count | None
    """How many of the others to train on; null = all."""
    mean: Annotated[tuple[Finite, ...], _PER_CHANNEL]
    """Mean pixel of each channel, on 0 to 255."""
    std: Annotated[tuple[Positive, ...], _PER_CHANNEL]
    """Standard deviation of each channel, on 0 to 255."""

    def model_post_init(self, _: Any) -> None:
        """Refuse a mean and a deviation for different numbers of channels."""
        if len(self.mean) != len(self.std):
            raise wrong("mean and std need one value for each channel", "std", got=list(self.std))


class Norm(Typed):
    """Batch norm, or a network without it."""

    kind: Literal["batch", "none"] = "batch"
    """none leaves of every norm the shift alone: what is said here of scales and statistics is then not read."""

    scale: Literal["ones", "uniform", "frozen"]
    """The scales: 1 at first, drawn from U(0, 1) (the default of torch 0.4), or 1 and never trained."""
    shift: bool = True
    """Whether a shift of each channel is trained; it is 0 at first."""
    splits: Count
    """Parts of a batch that are normalised each by itself: ghost batch norm where there are several."""
    momentum: Annotated[float, Field(gt=0, le=1)]
    """Weight of a new batch in the running statistics."""
    epsilon: Positive
    """Added to the variance."""
    precision: Literal["fp32", "network"]
    """Whether it computes in fp32 (the fast path of a GPU) or in the format of the network."""


class Network(Typed):
    """What all networks have."""

    width: Count
    """Channels of the first convolution; those of the later ones are multiples of it."""
    activation: Literal["relu", "celu", "gelu", "softplus"]
    """softplus is that of post 7: log(1 + exp(10 x)) / 10, and x itself above 0.25; it has second derivatives."""
    celu_alpha: Positive | None
    """The alpha of celu; null for the others."""
    norm: Norm
    logit_scale: Positive
    """Factor on the last layer's output."""
    weight_scale: Positive = 1.0
    """Factor on the initial weights that are scale invariant (``invariance``): it changes nothing in what the network
    computes at first, only how fast these weights turn."""

    def model_post_init(self, _: Any) -> None:
        """Refuse an alpha without a celu, and a celu without one."""
        if (self.activation == "celu") != (self.celu_alpha is not None):
            allowed = "a positive number" if self.activation == "celu" else "null"
            what = f"the activation {self.activation} needs {'an' if self.activation == 'celu' else 'no'} alpha"
            raise wrong(what, "celu_alpha", got=self.celu_alpha, allowed=allowed)


class Dawn(Network):
    """The ResNet-18 variant of post 1: four stages of two pre-activation residual blocks."""

    name: Literal["dawn"]
    branches: bool
    """False leaves the shortest path: no block has its branch of two 3x3 convolutions."""
    filters: Literal["default", "he"] = "default"
    """How convolutions start: as torch has it, or so that a ReLU network without norm keeps the size of its signal
    (He et al., arXiv:1502.01852)."""

    @property
    def whitening(self) -> None:
        """It has no fixed filters."""
        return


class Whitening(Typed):
    """Fixed first convolution: the leading directions of image patches, each brought to the same second moment."""

    patch: Annotated[int, Field(ge=2)]
    """Side of the patches in pixels."""
    images: Count
    """Training images, from the first on, that the patches are taken from."""
    epsilon: Positive
    """Added to the second moments, those of normalised pixels."""
    mirrored: bool
    """Whether every filter is there with its negative, so that an activation keeps both signs."""
    mix: bool
    """Whether a trained 1x1 convolution with norm and activation follows; otherwise only the activation does."""
    bias_share: Share
    """Share of the run, from the start, in which a bias of the filters is trained; 0 = there is no bias."""


class ResNet9(Network):
    """The backbone of post 4 and all that it becomes: a stem and three stages L1, L2, L3, each halving the image."""

    name: Literal["resnet9"]
    widths: Annotated[tuple[Count, Count, Count], Field(strict=False)]
    """Channels of the three stages, in multiples of ``width``; those of the stem are ``width``."""
    downsample: Literal["conv1x1", "conv3x3", "pool", "pool_before_norm"]
    """How a stage halves the image: a strided convolution, or a 3x3 one and 2x2 max pooling after the activation
    (the same as before it) or before the norm."""
    extra: Stages
    """Stages that end in one more convolution, norm and activation."""
    residual: Stages
    """Stages that end in a residual block of two convolutions."""
    whitening: Whitening | None
    """The stem's fixed filters; null = an ordinary 3x3 convolution, norm and activation."""
    head: Literal["max", "concat"]
    """Global max pooling, or that and global average pooling side by side."""
    linear_bias: bool
    filters: Literal["default", "dirac", "he"]
    """How convolutions start: as torch has it, the 3x3 ones of the stages so that they pass their inputs on (as far as
    there are as many outputs), or all so that a ReLU network without norm keeps the size of its signal (He et al.,
    arXiv:1502.01852)."""


Model = Annotated[Dawn | ResNet9, Field(discriminator="name")]


class Muon(Typed):
    """Orthogonalised momentum for the filters of the stages' convolutions; all the rest goes by SGD."""

    lr: Positive
    """Peak learning rate; it follows the shape of the schedule."""
    momentum: Annotated[float, Field(ge=0, lt=1)]
    iterations: Count
    """Steps of the iteration that orthogonalises."""


class Optimizer(Typed):
    """The update rule; its learning rate, weight decay and momentum are schedules."""

    name: Literal["sgd", "sgd_nesterov", "sgdw", "sgdw_nesterov", "adam", "adamw", "lars"]
    """SGD with momentum, also Nesterov's, Adam, or LARS for scale-invariant weights and sgd_nesterov for the rest; w
    says that the weight decay is decoupled: not in the gradient, but apart from the step."""
    velocity: Literal["torch", "scaled"]
    """Whether the velocity of SGD and LARS sums gradients (torch) or steps, which hold the learning rate of their time
    (scaled)."""
    beta2: Fraction = 0.999
    """What Adam's mean of squared gradients keeps per step; the momentum is its beta1."""
    epsilon: Positive = 1e-8
    """Added by Adam to the root of that mean."""
    trust: Positive | None = None
    """The rate of LARS in learning rates; null = the rate, without weight decay, at which weights turn as they do under
    SGD in balance."""
    norm_bias_lr: Positive
    """Factor on the learning rate of the norms' biases and of the bias of whitening filters."""
    norm_bias_weight_decay: NonNegative
    """Factor on their weight decay."""
    muon: Muon | None

    def model_post_init(self, _: Any) -> None:
        """Refuse Muon beside anything but SGD."""
        if self.muon and not self.name.startswith("sgd"):
            raise wrong("muon goes together with SGD only", "muon", got=f"name: {self.name}", allowed="null")


class Augment(Typed):
    """Random changes to the training images; 0, false and null turn one off."""

    crop_padding: Size
    """Pixels of reflected border from which a crop of the original size is taken."""
    flip: bool
    """Mirror half of the images."""
    alternate: bool
    """Mirror in every epoch exactly those images that were not mirrored in the one before."""
    cutout: Size
    """Side in pixels of a square inside the image that is set to the mean colour."""
    groups: Count | None
    """Draw at most so many different crops and cutouts an epoch, each for a group of images; null = one per image."""

    def model_post_init(self, _: Any) -> None:
        """Refuse mirror images that alternate where there are none."""
        if self.alternate and not self.flip:
            raise wrong(
                "only mirror images can alternate", "alternate", got=True, allowed="false", hint="or flip: true"
            )


class Average(Typed):
    """Exponential moving average of parameters and batch-norm statistics, which the run is judged by."""

    every: Count
    """Steps between two updates."""
    momentum: Fraction
    """What the average keeps of itself per step."""


class Stop(Typed):
    """When a run ends before its schedule does; null turns a rule off."""

    loss_bound: Positive
    """Training loss in nats per image above which the run has diverged."""
    target_accuracy: Annotated[float, Field(gt=0, le=1)] | None
    """Held-out accuracy at which the run has what it wanted."""
    patience: Count | None
    """Epochs without a lower held-out loss after which the run makes no progress."""
    max_seconds: Positive | None
    """Seconds of training, counted at the end of each epoch."""


def _one_or_more(value: object) -> object:
    """Return one name as a list of names."""
    return (value,) if isinstance(value, str) else value


class Trace(Typed):
    """What is recorded of the weights while they are trained (``dynamics``); it does not change the training."""

    every: Count = 10
    """Steps from one that is recorded to the next, the first step being one."""
    layers: Annotated[tuple[str, ...], Field(strict=False, min_length=1), BeforeValidator(_one_or_more)] = ("all",)
    """Which tensors: all, or the names of parameters, as patterns like ``stages.*.conv.weight``; one, or a list."""

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns that a name is matched with."""
        return tuple("*" if one == "all" else one for one in self.layers)


class Expect(Typed):
    """What the recipe is known to reach on all the training images, by its source."""

    metric: Literal["val_accuracy", "test_accuracy"]
    accuracy: Share | None
    """Mean over runs; null = nothing is known."""
    std: NonNegative | None
    """Standard deviation of one run."""
    target: Share | None
    """The accuracy that the recipe is to reach."""
    seconds: Positive | None
    """Training time of a run."""
    runs: Count | None
    device: str | None
    source: str


class Evidence(Typed):
    """What our own runs reached; written by ``benchmarks/evidence.py`` from their stored results."""

    scale: str
    """"full", or how the runs were made smaller."""
    data: str
    """Which images."""
    runs: Count
    accuracy: Share
    """Mean test accuracy."""
    std: NonNegative | None
    """Standard deviation of one run; null for one."""
    seconds: Positive
    """Mean training time of a run, the DAWNBench way; on a CPU, whose cores others may use too, the processor time of
    each thread."""
    petaflop: Positive
    """Arithmetic of a run in convolutions and matrix products, 10^15."""
    device: str
    versions: str
