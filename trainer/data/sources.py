"""From the name of a data set to its images: the one place that decides where they come from."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hpsearch.errors import DataError, Problem, listed, nearest
from trainer.data import cifar10, cifar10_binary, cifar10_parquet, digits
from trainer.data.dataset import Dataset
from trainer.data.download import Progress, Remote, fetch

NAMES = ("cifar10", "digits")

CIFAR10_ARCHIVE = Remote(
    url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    size=170_052_171,
)

CIFAR10_LAYOUTS = (
    "cifar-10-binary.tar.gz, the folder cifar-10-batches-bin unpacked from it, "
    "or a folder with train*.parquet and test*.parquet (columns img, label)"
)
_PICKLED = ("cifar-10-python.tar.gz", "cifar-10-batches-py", "data_batch_1")


@dataclass(frozen=True)
class Source:
    """Data that were found, or that can be downloaded; nothing is loaded yet.

    ``name``   the data set
    ``where``  form and place, for the user
    ``path``   the folder or archive that is read, absolute, or that a download will make; None where there is none
    ``shape``  height, width and channels of an image
    ``train_images``  how many there are to train on and to hold out
    ``lossy``  whether they are JPEG copies: accuracies on them are not those on the data set itself
    """

    name: str
    where: str
    path: Path | None
    shape: tuple[int, int, int]
    train_images: int
    lossy: bool
    _read: Callable[[Progress | None], Dataset]

    def load(self, progress: Progress | None = None) -> Dataset:
        """Return the data; ``progress`` follows a download (None: written to stderr). Raises DataError."""
        try:
            return self._read(progress)
        except OSError as cause:
            raise DataError(Problem(f"cannot read the data: {cause}")) from None


def load(name: str, path: Path | None = None) -> Dataset:
    """Find and load the data set ``name``; see ``find``."""
    return find(name, path).load()


def find(name: str, path: Path | None = None) -> Source:
    """Decide where the data set ``name`` comes from, without loading it.

    The first of these that is given or exists, and no other: ``path``, the environment variable HPSEARCH_DATA, the
    cache folder (HPSEARCH_CACHE, or ~/.cache/hpsearch), the download into it. ``digits`` are bundled with scikit-learn
    and take no path.

    Raises DataError for an unknown name and for a place that does not hold the data, or only a part of them.
    """
    if name not in NAMES:
        raise DataError(
            Problem("unknown data set", key="data", got=name, allowed=listed(NAMES), hint=nearest(name, NAMES))
        )
    try:
        return _find_digits(path) if name == "digits" else find_cifar10(path)
    except (OSError, RuntimeError) as cause:  # no permission; no home directory
        raise DataError(Problem(f"cannot look for the data: {cause}")) from None


def find_cifar10(path: Path | None = None, archive: Remote = CIFAR10_ARCHIVE) -> Source:
    """Find CIFAR-10 as ``find`` does, with ``archive`` as the archive that is known and downloaded.

    The place of the download may itself be named, before there is anything.
    """
    named = os.environ.get("HPSEARCH_DATA") if path is None else path
    place = Path(named).expanduser().absolute() if named else _cache()
    if source := _cifar10_at(place, archive):
        return source
    if named and place != _cache() / archive.file_name:
        raise _refusal(place, "HPSEARCH_DATA" if path is None else "the path given")
    cache = _cache()
    form = f"download of {archive.url} ({archive.size / 1e6:.0f} MB) into {cache}"
    return _cifar10(form, cache / archive.file_name, partial(_download_and_read, archive, cache))


def _cache() -> Path:
    return Path(os.environ.get("HPSEARCH_CACHE") or Path.home() / ".cache" / "hpsearch").expanduser().absolute()


def _cifar10_at(path: Path, archive: Remote) -> Source | None:
    """Return what ``path`` holds, or None if it is nothing known; raises DataError when it is incomplete."""
    if folder := cifar10_binary.find_folder(path):
        cifar10_binary.check_folder(folder)
        return _cifar10_files("binary files", folder, cifar10_binary.read_folder)
    file = path if path.name.endswith((".tar.gz", ".tgz")) else path / archive.file_name
    if file.is_file():
        return _cifar10_files("binary archive", file, partial(cifar10_binary.read_archive, sha256=archive.sha256))
    if folder := cifar10_parquet.find_folder(path):
        cifar10_parquet.check_folder(folder)
        lossy = cifar10_parquet.is_lossy(folder)
        return _cifar10_files("Hugging Face Parquet", folder, cifar10_parquet.read_folder, lossy)
    return None


def _cifar10_files(form: str, path: Path, read: Callable[[Path], Dataset], lossy: bool = False) -> Source:
    return _cifar10(f"{form}, {path}", path, lambda _: read(path), lossy)


def _cifar10(form: str, path: Path, read: Callable[[Progress | None], Dataset], lossy: bool = False) -> Source:
    return Source("cifar10", f"CIFAR-10, {form}", path, cifar10.SHAPE, cifar10.TRAIN_IMAGES, lossy, read)


def _download_and_read(archive: Remote, cache: Path, progress: Progress | None) -> Dataset:
    return cifar10_binary.read_archive(fetch(archive, cache, progress), archive.sha256)


def _refusal(path: Path, given_by: str) -> DataError:
    what = "does not hold CIFAR-10" if path.exists() else "does not exist"
    hint = "without a path it is downloaded"
    if path.name in _PICKLED or any((path / name).exists() for name in _PICKLED):
        hint = "this is the Python version, a pickle, which is never read: take the binary version"
    return DataError(Problem(f"{given_by} {what}", file=path, allowed=CIFAR10_LAYOUTS, hint=hint))


def _find_digits(path: Path | None) -> Source:
    if path is not None:
        what = "the digits are bundled with scikit-learn and take no path"
        raise DataError(Problem(what, got=str(path), hint="leave the path out, or name the data set cifar10"))
    where = "digits, bundled with scikit-learn"
    return Source("digits", where, None, digits.SHAPE, digits.TRAIN_IMAGES, False, lambda _: digits.load_digits())
