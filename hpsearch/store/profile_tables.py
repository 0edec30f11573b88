"""The tables of ``hpsearch study profile`` (post 3).

``part`` is the same word in all of them: ``convolution``, ``linear``, ``norm``, ``activation``, ``pooling``, ``loss``,
``optimiser``, ``augmentation`` (with normalisation and what is drawn once an epoch), ``casts`` between number formats,
``additions`` (of residual branches and of gradients), ``other operators``, and ``host``, the time in which no operator
runs. Times are of one training step.
"""

import pyarrow as pa

from hpsearch.store.diagnostics import Column

KIND = "profile"

_TEXT, _COUNT, _NUMBER = pa.string(), pa.int64(), pa.float64()

_PART = {"part": Column(_TEXT, "", "part of the step")}
_ROUND = {"round": Column(_COUNT, "", "of measuring, from 1")}

TABLES = {
    "step": {
        "batch_size": Column(_COUNT, "images", "of a step"),
        "epoch_steps": Column(_COUNT, "steps", "of an epoch"),
        "parameters": Column(_COUNT, "", "numbers that are trained"),
        "precision": Column(_TEXT, "", "number format that is computed in"),
        "note": Column(_TEXT, "", "a remark where it is not the recipe's"),
        "clock": Column(_TEXT, "", "what tells the time of a step: processor, wall, or device"),
    },
    "operators": {
        **_PART,
        "operator": Column(_TEXT, "", "name of the operator"),
        "calls": Column(_NUMBER, "", "in a step; a fraction where not every step has one"),
        "flop": Column(_COUNT, "FLOP", "of a call; a multiply-add is 2, and only products count"),
        "bytes": Column(_COUNT, "bytes", "of the tensors that a call takes and gives"),
    },
    "ceilings": {
        "matmul": Column(_NUMBER, "FLOP / s", "of a large matrix product, at best"),
        "convolution": Column(_NUMBER, "FLOP / s", "of a large convolution, at best"),
        "bandwidth": Column(_NUMBER, "bytes / s", "of a large copy, read and written, at best"),
    },
    "timings": {
        **_ROUND,
        **_PART,
        "steps": Column(_COUNT, "steps", "that both times are the mean of"),
        "whole": Column(_NUMBER, "s", "of a whole step just before, its functions looked at likewise"),
        "without": Column(_NUMBER, "s", "of a step without the part"),
    },
    "profile": {
        **_ROUND,
        **_PART,
        "seconds": Column(_NUMBER, "s", "wall time of the part in a step, with the profiler in the way"),
    },
    "profiled": {
        **_ROUND,
        "steps": Column(_COUNT, "steps", "that were profiled"),
        "plain": Column(_NUMBER, "s", "of a step with nothing in the way, just before"),
        "seconds": Column(_NUMBER, "s", "of a profiled step, by the same clock"),
    },
}
"""Table -> column -> what it holds."""
