"""CIFAR-10 as Parquet in the layout of Hugging Face: columns ``img`` {bytes, path} and ``label``, one row per image."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, UnidentifiedImageError

from hpsearch.errors import DataError, Problem, listed
from trainer.data.cifar10 import CLASSES, SIDE, TEST_IMAGES, TRAIN_IMAGES
from trainer.data.dataset import Dataset, Images, Integers

SPLITS = {"train": TRAIN_IMAGES, "test": TEST_IMAGES}
_SUBFOLDERS = ("", "plain_text", "data")
_ROWS_AT_ONCE = 1000
_JPEG = b"\xff\xd8\xff"
_UNREADABLE = (pa.ArrowException, OSError, ValueError)  # a name that is not UTF-8 is a plain ValueError


def find_folder(path: Path) -> Path | None:
    """Return ``path`` or the folder in it that holds a Parquet file of a split."""
    folders = [path / name for name in _SUBFOLDERS]
    return next((folder for folder in folders if any(_files(folder, split) for split in SPLITS)), None)


def check_folder(folder: Path) -> None:
    """Read the footers only; raises DataError for missing files, columns or rows, and for truncated files."""
    for split in SPLITS:
        files = _files(folder, split)
        if not files:
            raise DataError(
                Problem(
                    f"CIFAR-10 is incomplete: there is no Parquet file of the {split} split",
                    file=folder,
                    allowed=f"{split}.parquet, or {split}-00000-of-00001.parquet and so on",
                )
            )
        _check_rows(sum(_open(file).metadata.num_rows for file in files), split, folder)


def is_lossy(folder: Path) -> bool:
    """Say whether a checked folder holds JPEG, by the first of each split; raises DataError for a damaged file."""
    return any(_first_image(folder, split).startswith(_JPEG) for split in SPLITS)


def _first_image(folder: Path, split: str) -> bytes:
    rows = (image for file in _files(folder, split) for image, _ in _rows(file))
    return next(rows, None) or b""


def read_folder(folder: Path) -> Dataset:
    """Decode all images (a few seconds); raises DataError with the file and row of what cannot be used."""
    check_folder(folder)
    train_images, train_labels = _read_split(folder, "train")
    test_images, test_labels = _read_split(folder, "test")
    return Dataset(train_images, train_labels, test_images, test_labels, CLASSES)


def _check_rows(rows: int, split: str, folder: Path) -> None:
    if rows != SPLITS[split]:
        what = f"the {split} split of CIFAR-10 has the wrong number of rows"
        raise DataError(Problem(what, file=folder, got=f"{rows:,}", allowed=f"{SPLITS[split]:,}"))


def _files(folder: Path, split: str) -> list[Path]:
    return [*folder.glob(f"{split}.parquet"), *sorted(folder.glob(f"{split}-*.parquet"))]


def _open(file: Path) -> Any:
    """Open ``file`` as a ``pyarrow.parquet.ParquetFile`` whose columns are known to be right."""
    try:
        opened = pq.ParquetFile(file)
    except _UNREADABLE as cause:
        raise DataError(
            Problem("not a readable Parquet file; it may be truncated", file=file, got=str(cause))
        ) from None
    schema = opened.schema_arrow
    for column, is_right, allowed in _COLUMNS:
        if column not in schema.names:
            what, got = f"the column '{column}' is missing", listed(schema.names)
        elif not is_right(schema.field(column).type):
            what, got = f"the column '{column}' has the wrong type", str(schema.field(column).type)
        else:
            continue
        raise DataError(Problem(what, file=file, got=got, allowed=allowed))
    return opened


def _is_image(kind: Any) -> bool:
    return pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0 and _is_bytes(kind.field("bytes").type)


def _is_bytes(kind: Any) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


_COLUMNS = (
    ("img", _is_image, "img: struct of bytes (PNG or JPEG) and path"),
    ("label", pa.types.is_integer, "label: integer"),
)


def _read_split(folder: Path, split: str) -> tuple[Images, Integers]:
    """Return images (n, 32, 32, 3) and labels (n,) in the order of the files and rows."""
    images, labels = [], []
    for file in _files(folder, split):
        for row, (image, label) in enumerate(_rows(file)):
            try:
                images.append(_decoded(image))
                labels.append(_checked(label))
            except ValueError as cause:
                raise DataError(Problem(f"row {row} (counted from 0): {cause}", file=file)) from None
    _check_rows(len(labels), split, folder)  # a damaged footer may promise others
    return np.stack(images), np.array(labels, np.int64)


def _rows(file: Path) -> Iterator[tuple[bytes | None, int | None]]:
    """Yield the encoded image and the label of each row; either may be null."""
    try:
        for batch in _open(file).iter_batches(_ROWS_AT_ONCE, columns=["img.bytes", "label"]):
            image, label = batch.to_pydict()["img"], batch.column("label").to_pylist()
            yield from zip((cell and cell["bytes"] for cell in image), label, strict=True)
    except _UNREADABLE as cause:
        raise DataError(Problem("the Parquet file is damaged", file=file, got=str(cause))) from None


def _decoded(data: bytes | None) -> Images:
    """Return the pixels (32, 32, 3) of an encoded image; raises ValueError when they cannot be had."""
    try:
        with Image.open(io.BytesIO(data or b""), formats=("PNG", "JPEG")) as image:
            form = f"{image.width}x{image.height} {image.mode}"
            pixels = np.asarray(image) if form == f"{SIDE}x{SIDE} RGB" else None
    except UnidentifiedImageError:
        raise ValueError("the image is neither PNG nor JPEG") from None
    except Exception as cause:  # Pillow's decoders raise many kinds for broken bytes
        raise ValueError(f"the image cannot be decoded: {cause}") from None
    if pixels is None:
        raise ValueError(f"the image is {form}, not {SIDE}x{SIDE} RGB")
    return pixels


def _checked(label: int | None) -> int:
    if label is None or not 0 <= label < len(CLASSES):
        raise ValueError(f"the label is {label}, not one of 0 to {len(CLASSES) - 1}")
    return label
