"""CIFAR-10 in its official binary form: the archive, or the folder unpacked from it.

Each file holds 10,000 records of one label byte and 3,072 pixel bytes: the red, green and blue planes, each 32 rows
(https://www.cs.toronto.edu/~kriz/cifar.html).
"""

import hashlib
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hpsearch.errors import DataError, Problem, listed
from trainer.data.cifar10 import CLASSES, SIDE
from trainer.data.dataset import Dataset, Images, Integers

FOLDER = "cifar-10-batches-bin"
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE = "test_batch.bin"
FILES = (*TRAIN_FILES, TEST_FILE)

RECORD_BYTES = 1 + 3 * SIDE * SIDE
FILE_BYTES = 10_000 * RECORD_BYTES


def find_folder(path: Path) -> Path | None:
    """Return ``path`` or the folder in it where batch files lie, whether all of them are there or not."""
    return next((folder for folder in (path, path / FOLDER) if any((folder / name).exists() for name in FILES)), None)


def check_folder(folder: Path) -> None:
    """Raise DataError when a batch file is missing or has a wrong size."""
    sizes = {name: (folder / name).stat().st_size for name in FILES if (folder / name).is_file()}
    _check_sizes(sizes, folder)


def read_folder(folder: Path) -> Dataset:
    """Read the unpacked files; raises DataError when they are incomplete or hold a label that is no class."""
    check_folder(folder)
    return _dataset({name: (folder / name).read_bytes() for name in FILES}, folder)


def read_archive(archive: Path, sha256: str) -> Dataset:
    """Read the archive in memory, nothing is unpacked to disk; raises DataError when it is not the expected file."""
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            what = "not the official archive, or damaged: its SHA-256 is wrong"
            raise DataError(Problem(what, file=archive, got=found, allowed=sha256, hint="remove it and fetch it again"))
        file.seek(0)
        try:
            files = _batch_files(file)
        except (tarfile.TarError, EOFError, OSError, ValueError) as cause:
            raise DataError(Problem(f"cannot read the archive: {cause}", file=archive)) from None
    _check_sizes({name: len(data) for name, data in files.items()}, archive)
    return _dataset(files, archive)


def _batch_files(archive: BinaryIO) -> dict[str, bytes]:
    """Return the contents of the batch files; members of any other path, kind or size are passed over."""
    wanted = {f"{FOLDER}/{name}": name for name in FILES}
    files = {}
    with tarfile.open(fileobj=archive, mode="r:gz") as members:
        for member in members:
            if member.name in wanted and member.isreg() and member.size == FILE_BYTES:
                content = members.extractfile(member)
                files[wanted[member.name]] = content.read() if content else b""
    return files


def _check_sizes(sizes: Mapping[str, int], place: Path) -> None:
    missing = [name for name in FILES if name not in sizes]
    if missing:
        raise DataError(
            Problem("CIFAR-10 is incomplete", file=place, got=f"no {listed(missing)}", allowed=listed(FILES))
        )
    for name, size in sizes.items():
        if size != FILE_BYTES:
            what = f"{name} has the wrong size"
            raise DataError(Problem(what, file=place, got=f"{size:,} bytes", allowed=f"{FILE_BYTES:,} bytes"))


def _dataset(files: Mapping[str, bytes], place: Path) -> Dataset:
    train = [_records(files[name], place / name) for name in TRAIN_FILES]
    test_images, test_labels = _records(files[TEST_FILE], place / TEST_FILE)
    train_images = np.concatenate([images for images, _ in train])
    train_labels = np.concatenate([labels for _, labels in train])
    return Dataset(train_images, train_labels, test_images, test_labels, CLASSES)


def _records(data: bytes, file: Path) -> tuple[Images, Integers]:
    """Return images (n, 32, 32, 3) and labels (n,) of one batch file."""
    records = np.frombuffer(data, np.uint8).reshape(-1, RECORD_BYTES)
    labels = records[:, 0].astype(np.int64)
    wrong = np.flatnonzero(labels >= len(CLASSES))
    if wrong.size:
        what = f"record {wrong[0]} (counted from 0) has a label that is no class"
        raise DataError(Problem(what, file=file, got=str(labels[wrong[0]]), allowed=f"0 to {len(CLASSES) - 1}"))
    planes = records[:, 1:].reshape(-1, 3, SIDE, SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels
