"""The tables of ``hpsearch study forgetting`` (post 2): frozen networks on the batches of their last epoch.

The scan over learning rate and batch size is a search's study of its own beside them, ``lr_scan``.
"""

import pyarrow as pa

from hpsearch.store.diagnostics import Column

KIND = "forgetting"

_TEXT, _COUNT, _FLAG, _NUMBER = pa.string(), pa.int64(), pa.bool_(), pa.float64()

_RUN = {
    "factor": Column(_NUMBER, "", "learning rate of the run, held after its rise, over the recipe's peak"),
    "data": Column(_TEXT, "", "full: all training images; half: every other one, for as many steps"),
    "seed": Column(_COUNT, "", "seed of everything random in the run"),
}

TABLES = {
    "forgetting_runs": {
        **_RUN,
        "lr": Column(_NUMBER, "1 / loss", "learning rate that is held"),
        "weight_decay": Column(_NUMBER, "", "at the end, as is the momentum"),
        "momentum": Column(_NUMBER, "", "at the end; of Adam, beta1"),
        "nesterov": Column(_FLAG, "", "whether the step looks ahead along the momentum"),
        "batch_size": Column(_COUNT, "images", "of a step"),
        "images": Column(_COUNT, "images", "that were trained on"),
        "steps": Column(_COUNT, "steps", "in all"),
        "steps_per_epoch": Column(_COUNT, "steps", "of each epoch: the oldest batch of the last one is so old"),
        "memory_steps": Column(_NUMBER, "steps", "in which the decay forgets, by theory; NaN where it says nothing"),
        "diverged": Column(_FLAG, "", "the loss left its bounds; then nothing was replayed"),
        "train_loss": Column(_NUMBER, "nat", "of the last epoch, while it was trained"),
        "unseen_loss": Column(_NUMBER, "nat", "of the frozen network on the held-out images, augmented as in training"),
        "val_loss": Column(_NUMBER, "nat", "of the frozen network on the held-out images as they are"),
        "val_accuracy": Column(_NUMBER, "fraction", "likewise"),
    },
    "replays": {
        **_RUN,
        "order_seed": Column(_COUNT, "", "the run whose last epoch the batches are from; another one is a control"),
        "age": Column(_COUNT, "steps", "that the run of order_seed took after the one on this batch"),
        "images": Column(_COUNT, "images", "in the batch"),
        "loss": Column(_NUMBER, "nat", "mean loss of the frozen network on the batch"),
    },
}
"""Table -> column -> what it holds."""
