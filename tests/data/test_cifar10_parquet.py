import io
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hpsearch.errors import DataError
from tests.data import making
from trainer.data import Dataset, cifar10_parquet

TRAIN, TRAIN_LABELS = making.images_and_labels(8, seed=1)
TEST, TEST_LABELS = making.images_and_labels(4, seed=2)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A train split of 8 images in two files and a test split of 4, without loss as PNG."""
    monkeypatch.setattr(cifar10_parquet, "SPLITS", {"train": 8, "test": 4})
    for part in range(2):
        rows = slice(4 * part, 4 * part + 4)
        images = [making.encoded(image) for image in TRAIN[rows]]
        making.write_parquet(tmp_path / f"train-0000{part}-of-00002.parquet", images, list(TRAIN_LABELS[rows]))
    making.write_parquet(tmp_path / "test.parquet", [making.encoded(image) for image in TEST], list(TEST_LABELS))
    return tmp_path


def test_images_and_labels_keep_their_order(folder: Path) -> None:
    data = cifar10_parquet.read_folder(folder)
    np.testing.assert_array_equal(data.train_images, TRAIN)
    np.testing.assert_array_equal(data.train_labels, TRAIN_LABELS)
    np.testing.assert_array_equal(data.test_images, TEST)
    np.testing.assert_array_equal(data.test_labels, TEST_LABELS)
    assert data.train_images.dtype == np.uint8 and data.train_labels.dtype == np.int64


@pytest.mark.parametrize("inner", ["", "plain_text", "data"])
def test_folder_is_found(folder: Path, inner: str) -> None:
    place = folder / inner
    place.mkdir(exist_ok=True)
    for file in folder.glob("*.parquet"):
        file.rename(place / file.name)
    assert cifar10_parquet.find_folder(folder) == place


def test_a_split_of_jpeg_copies_is_lossy(folder: Path) -> None:
    assert not cifar10_parquet.is_lossy(folder)
    making.write_parquet(folder / "test.parquet", [making.encoded(image, "JPEG") for image in TEST], list(TEST_LABELS))
    assert cifar10_parquet.is_lossy(folder)


@pytest.mark.parametrize("first", [None, b"", b"hello"])
def test_what_is_no_image_is_not_lossy_and_refused_when_it_is_read(folder: Path, first: bytes | None) -> None:
    making.write_parquet(folder / "test.parquet", [first] * 4, list(TEST_LABELS))
    assert not cifar10_parquet.is_lossy(folder)
    with pytest.raises(DataError, match="neither PNG nor JPEG"):
        cifar10_parquet.read_folder(folder)


def bomb() -> bytes:
    """A PNG of 150 bytes that says it has 10^10 pixels."""
    size = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    header = struct.pack(">I", 13) + b"IHDR" + size + struct.pack(">I", zlib.crc32(b"IHDR" + size))
    return b"\x89PNG\r\n\x1a\n" + header + making.encoded(TEST[0])[33:]


def as_gif() -> bytes:
    data = io.BytesIO()
    Image.fromarray(TEST[0]).convert("P").save(data, "GIF")
    return data.getvalue()


GREY = making.encoded(TEST[0, :, :, 0])
BAD_IMAGES = {
    "null": (None, "neither PNG nor JPEG"),
    "empty": (b"", "neither PNG nor JPEG"),
    "text": (b"hello", "neither PNG nor JPEG"),
    "other format": (as_gif(), "neither PNG nor JPEG"),
    "cut PNG": (making.encoded(TEST[0])[:1500], "cannot be decoded"),
    "cut JPEG": (making.encoded(TEST[0], "JPEG")[:-300], "cannot be decoded"),
    "too small": (making.encoded(TEST[0, :31]), "32x31 RGB, not 32x32 RGB"),
    "grey": (GREY, "32x32 L, not 32x32 RGB"),
    "bomb": (bomb(), "cannot be decoded"),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_bad_image_is_named_by_file_and_row(folder: Path, kind: str) -> None:
    data, message = BAD_IMAGES[kind]
    images = [making.encoded(image) for image in TEST]
    images[2] = data
    making.write_parquet(folder / "test.parquet", images, list(TEST_LABELS))
    with pytest.raises(DataError, match=f"row 2 .*{message}") as refused:
        cifar10_parquet.read_folder(folder)
    assert refused.value.problems[0].file == folder / "test.parquet"
    assert " at 0x" not in str(refused.value)


@pytest.mark.parametrize("label", [-1, 10, None])
def test_bad_label_is_named_by_file_and_row(folder: Path, label: int | None) -> None:
    images = [making.encoded(image) for image in TRAIN[4:]]
    making.write_parquet(folder / "train-00001-of-00002.parquet", images, [0, label, 2, 3])
    with pytest.raises(DataError, match=f"row 1 .*the label is {label}") as refused:
        cifar10_parquet.read_folder(folder)
    assert "train-00001-of-00002.parquet" in str(refused.value)


BYTES = pa.array([{"bytes": b""}] * 4)
LABEL = pa.array([0] * 4)
BAD_COLUMNS = {
    "no img": ({"image": BYTES, "label": LABEL}, "'img' is missing"),
    "no label": ({"img": BYTES, "fine_label": LABEL}, "'label' is missing"),
    "img not encoded": ({"img": LABEL, "label": LABEL}, "'img' has the wrong type"),
    "img without bytes": ({"img": pa.array([{"path": "a"}] * 4), "label": LABEL}, "'img' has the wrong type"),
    "label as text": ({"img": BYTES, "label": pa.array(["cat"] * 4)}, "'label' has the wrong type"),
}


@pytest.mark.parametrize("kind", BAD_COLUMNS)
def test_bad_columns_are_found_without_loading(folder: Path, kind: str) -> None:
    columns, message = BAD_COLUMNS[kind]
    pq.write_table(pa.table(columns), folder / "test.parquet")
    with pytest.raises(DataError, match=message):
        cifar10_parquet.check_folder(folder)


def test_missing_files_and_rows_are_found_without_loading(folder: Path) -> None:
    (folder / "train-00001-of-00002.parquet").unlink()
    with pytest.raises(DataError, match="wrong number of rows") as refused:
        cifar10_parquet.check_folder(folder)
    assert refused.value.problems[0].got == "4" and refused.value.problems[0].allowed == "8"
    (folder / "test.parquet").unlink()
    (folder / "train-00000-of-00002.parquet").unlink()
    with pytest.raises(DataError, match="no Parquet file of the train split"):
        cifar10_parquet.check_folder(folder)


def test_damaged_parquet_never_gives_a_traceback(folder: Path) -> None:
    """Bytes cut off or overwritten anywhere: the data are refused, or (in a path, in a pixel) read with all rows."""
    file = folder / "test.parquet"
    whole = file.read_bytes()
    draw = random.Random(0)
    refused = 0
    for trial in range(200):
        start = draw.randrange(len(whole))
        damaged = whole[:start] if trial % 2 else whole[:start] + draw.randbytes(9) + whole[start + 9 :]
        file.write_bytes(damaged)
        try:
            data = cifar10_parquet.read_folder(folder)
            assert len(data.test_images) == len(data.test_labels) == 4
        except DataError:
            refused += 1
    assert refused > 100


def test_real_parquet_cut_short_is_refused(cifar_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "train.parquet").symlink_to(cifar_folder / "train.parquet")
    whole = (cifar_folder / "test.parquet").read_bytes()
    (tmp_path / "test.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="truncated") as refused:
        cifar10_parquet.check_folder(tmp_path)
    assert refused.value.problems[0].file == tmp_path / "test.parquet"


def test_real_cifar(cifar: Dataset) -> None:
    """The published channel means and deviations of CIFAR-10, which JPEG moves by less than 0.002."""
    assert cifar.train_images.shape == (50_000, 32, 32, 3) and cifar.test_images.shape == (10_000, 32, 32, 3)
    assert (np.bincount(cifar.train_labels) == 5_000).all() and (np.bincount(cifar.test_labels) == 1_000).all()
    levels = np.arange(256) / 255
    shares = (
        np.stack([np.bincount(cifar.train_images[..., c].ravel(), minlength=256) for c in range(3)]) / 50_000 / 1024
    )
    mean = shares @ levels
    np.testing.assert_allclose(mean, [0.4914, 0.4822, 0.4465], atol=2e-3)
    np.testing.assert_allclose(np.sqrt(shares @ levels**2 - mean**2), [0.2470, 0.2435, 0.2616], atol=2e-3)


def test_real_classes_have_their_names(cifar: Dataset) -> None:
    """Sky and sea: only aeroplanes and ships are more blue than red on average."""
    colour = [cifar.test_images[cifar.test_labels == label].mean((0, 1, 2)) for label in range(10)]
    blue = {name for name, (red, _, blue) in zip(cifar.classes, colour, strict=True) if blue > red}
    assert blue == {"airplane", "ship"}
