"""The tables of ``hpsearch study batchnorm`` (post 7).

``network`` is the same word in all of them. At initialisation: the deep networks ``relu``, ``linear``, ``batch_norm``,
``frozen_batch_norm``, ``shift_and_scale``, and the recipe's ``recipe`` and ``recipe_without_norm``. Partly trained:
``batch_norm`` (the recipe's, normalised by the statistics of each batch), ``frozen_batch_norm`` (the same weights,
normalised by fixed statistics of the training images) and ``no_norm`` (trained without norm, at a lower rate).
"""

import pyarrow as pa

from hpsearch.store.diagnostics import Column

KIND = "batchnorm"

_TEXT, _COUNT, _FLAG, _NUMBER = pa.string(), pa.int64(), pa.bool_(), pa.float64()

_NETWORK = {
    "network": Column(_TEXT, "", "which network, see the study"),
    "seed": Column(_COUNT, "", "seed of everything random in it"),
}

TABLES = {
    "init_layers": {
        **_NETWORK,
        "depth": Column(_COUNT, "", "convolutions up to this one, from 1"),
        "layer": Column(_TEXT, "", "name of the convolution"),
        "mean_over_spread": Column(
            _NUMBER, "", "rms over channels of the mean over images and pixels, over that of the standard deviation"
        ),
    },
    "networks": {
        **_NETWORK,
        "lr": Column(_NUMBER, "1 / loss", "peak learning rate that it was trained at"),
        "epochs": Column(_NUMBER, "epochs", "that it was trained for"),
        "schedule_epochs": Column(_NUMBER, "epochs", "length of its schedule"),
        "parameters": Column(_COUNT, "", "numbers that are trained"),
        "norm": Column(_NUMBER, "", "length of all parameters together"),
        "train_loss": Column(_NUMBER, "nat", "of the last epoch of training"),
        "val_accuracy": Column(_NUMBER, "fraction", "on the held-out images, at the end"),
        "images": Column(_COUNT, "images", "of the fixed batches that all below is computed on"),
        "batch_size": Column(_COUNT, "images", "of these batches"),
        "loss": Column(_NUMBER, "nat", "on the fixed batches, in the mode of the network"),
        "accuracy": Column(_NUMBER, "fraction", "likewise"),
    },
    "perturbations": {
        **_NETWORK,
        "output": Column(_COUNT, "", "the class whose mean output the parameters are moved to increase"),
        "size": Column(_NUMBER, "fraction", "length of the move over that of the parameters"),
        "accuracy_before": Column(_NUMBER, "fraction", "on the fixed batches"),
        "accuracy": Column(_NUMBER, "fraction", "after the move"),
        "share_before": Column(_NUMBER, "fraction", "of the images that are taken for this class"),
        "share": Column(_NUMBER, "fraction", "after the move"),
    },
    "gradient_norms": {
        **_NETWORK,
        "output": Column(_COUNT, "", "the class whose mean output the gradient is of"),
        "position": Column(_COUNT, "", "of the tensor in the network, from 0"),
        "layer": Column(_TEXT, "", "name of the tensor"),
        "squared_norm": Column(_NUMBER, "", "of the gradient in this tensor"),
    },
    "eigenvalues": {
        **_NETWORK,
        "outside": Column(_TEXT, "", "span that the eigenvectors are orthogonal to; empty: the whole Hessian"),
        "outside_size": Column(_COUNT, "", "directions of that span"),
        "index": Column(_COUNT, "", "from 1, by falling value"),
        "value": Column(_NUMBER, "loss", "eigenvalue of the Hessian of the loss on the fixed batches"),
        "residual": Column(_NUMBER, "loss", "|H v - value v| for the unit vector v found for it"),
        "converged": Column(_FLAG, "", "the residual is below the tolerance"),
        "products": Column(_COUNT, "", "products with the Hessian that were spent on all of them"),
    },
    "overlaps": {
        **_NETWORK,
        "index": Column(_COUNT, "", "of the eigenvector"),
        "span": Column(_TEXT, "", "what the span is of: means, means and variances, means, variances and skews"),
        "span_size": Column(_COUNT, "", "independent directions in it"),
        "overlap": Column(_NUMBER, "fraction", "squared length of the eigenvector's projection on the span"),
        "chance": Column(_NUMBER, "fraction", "the same expected of a random direction: span_size over parameters"),
    },
    "descents": {
        **_NETWORK,
        "factor": Column(_NUMBER, "", "learning rate over 2 / largest eigenvalue"),
        "lr": Column(_NUMBER, "1 / loss", "learning rate"),
        "step": Column(_COUNT, "steps", "of gradient descent on the fixed batches, without momentum"),
        "loss": Column(_NUMBER, "nat", "before this step; not finite where it diverged"),
        "grows": Column(_FLAG, "", "the verdict on the whole descent"),
    },
}
"""Table -> column -> what it holds."""
