"""Parts told by the names of operators, of autograd's nodes and of functions."""

import pytest

from trainer.diagnostics.step_parts import (
    ACTIVATION,
    ADDITIONS,
    CASTS,
    CONVOLUTION,
    LINEAR,
    LOSS,
    NORM,
    POOLING,
    of_operator,
)


@pytest.mark.parametrize(
    ("part", "names"),
    [
        (CONVOLUTION, ["aten::conv2d", "aten::cudnn_convolution", "convolution_backward", "ConvolutionBackward0"]),
        (NORM, ["aten::native_batch_norm", "cudnn_batch_norm_backward", "NativeLayerNormBackward0", "batch_norm"]),
        (ACTIVATION, ["aten::relu_", "threshold_backward", "CeluBackward0", "aten::gelu", "softplus", "EluBackward0"]),
        (POOLING, ["aten::max_pool2d_with_indices", "AdaptiveMaxPool2DBackward0", "mean", "MeanBackward1"]),
        (LINEAR, ["aten::addmm", "aten::mm", "MmBackward0", "linear"]),
        (LOSS, ["aten::_log_softmax", "NllLossBackward0", "cross_entropy"]),
        (CASTS, ["aten::to", "aten::_to_copy", "ToCopyBackward0"]),
        (ADDITIONS, ["aten::add", "aten::add_", "AddBackward0"]),
        (None, ["aten::mul", "aten::cat", "aten::t", "torch::autograd::AccumulateGrad", "aten::empty_strided"]),
    ],
)
def test_a_name_tells_the_part(part: str | None, names: list[str]) -> None:
    for name in names:
        assert of_operator(name) == part, name
        assert of_operator(f"autograd::engine::evaluate_function: {name}") == part
