import gzip
import tarfile
from pathlib import Path

import numpy as np
import pytest

from hpsearch.errors import DataError
from tests.data import making
from trainer.data import Dataset, cifar10_binary, load


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10_binary, "FILE_BYTES", making.SMALL_FILE_BYTES)


@pytest.fixture
def folder(small: None, tmp_path: Path) -> Path:
    for name, content in making.batch_files().items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def check_contents(data: Dataset) -> None:
    images, labels = zip(*(making.images_and_labels(making.RECORDS, seed) for seed in range(6)), strict=True)
    np.testing.assert_array_equal(data.train_images, np.concatenate(images[:5]))
    np.testing.assert_array_equal(data.train_labels, np.concatenate(labels[:5]))
    np.testing.assert_array_equal(data.test_images, images[5])
    np.testing.assert_array_equal(data.test_labels, labels[5])
    assert data.train_images.dtype == np.uint8 and data.train_labels.dtype == np.int64
    assert data.train_images.flags.c_contiguous


def test_folder_is_read_in_order(folder: Path) -> None:
    check_contents(cifar10_binary.read_folder(folder))


def read(content: bytes, folder: Path) -> Dataset:
    file = folder / "given.tar.gz"
    file.write_bytes(content)
    return cifar10_binary.read_archive(file, making.remote(content).sha256)


def test_archive_is_read_in_memory(small: None, tmp_path: Path) -> None:
    members = [making.regular("cifar-10-batches-bin/readme.html", b"<html>"), *reversed(making.good_members())]
    check_contents(read(making.archive(members), tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["given.tar.gz"]


def test_damaged_archive_is_refused(small: None, tmp_path: Path) -> None:
    content = bytearray(making.archive(making.good_members()))
    right = making.remote(bytes(content)).sha256
    content[len(content) // 2] ^= 1
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(DataError, match="SHA-256 is wrong") as refused:
        cifar10_binary.read_archive(tmp_path / "a.tar.gz", right)
    assert right in str(refused.value) and making.remote(bytes(content)).sha256 in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"not an archive", making.archive(making.good_members())[:9_000]])
def test_what_is_no_archive_is_refused(small: None, tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError):
        read(content, tmp_path)


FIRST = "cifar-10-batches-bin/data_batch_1.bin"
DATA = making.batch_files()["data_batch_1.bin"]
HOSTILE = {
    "parent path": making.regular("../data_batch_1.bin", DATA),
    "parent path inside": making.regular("cifar-10-batches-bin/../../data_batch_1.bin", DATA),
    "absolute path": making.regular(f"/{FIRST}", DATA),
    "symbolic link": making.special(FIRST, tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": making.special(FIRST, tarfile.LNKTYPE, "data_batch_2.bin"),
    "device": making.special(FIRST, tarfile.CHRTYPE, ""),
    "fifo": making.special(FIRST, tarfile.FIFOTYPE, ""),
    "folder": making.special(FIRST, tarfile.DIRTYPE, ""),
    "too short": making.regular(FIRST, DATA[:-1]),
    "too long": making.regular(FIRST, DATA + bytes(10_000_000)),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_members_are_passed_over(small: None, tmp_path: Path, kind: str) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    with pytest.raises(DataError, match=r"no data_batch_1\.bin"):
        read(making.archive([HOSTILE[kind], *making.good_members()[1:]]), inner)
    assert {file.name for file in tmp_path.rglob("*")} == {"inner", "given.tar.gz"}
    check_contents(read(making.archive([HOSTILE[kind], *making.good_members()]), inner))


def test_member_that_promises_more_than_there_is(small: None, tmp_path: Path) -> None:
    """The header says 2^60 bytes; nothing of that size is ever allocated or waited for."""
    huge, _ = making.regular("cifar-10-batches-bin/huge.bin", b"")
    huge.size = 1 << 60
    with pytest.raises(DataError):
        read(gzip.compress(huge.tobuf() + DATA), tmp_path)


def test_missing_and_cut_files_are_named(folder: Path) -> None:
    (folder / "data_batch_3.bin").unlink()
    with pytest.raises(DataError, match=r"no data_batch_3\.bin"):
        cifar10_binary.read_folder(folder)
    (folder / "data_batch_3.bin").write_bytes(DATA[:-7])
    with pytest.raises(DataError, match=r"data_batch_3\.bin has the wrong size"):
        cifar10_binary.read_folder(folder)


def test_label_that_is_no_class_is_named(folder: Path) -> None:
    content = bytearray(DATA)
    content[3073 * 4] = 10
    (folder / "data_batch_2.bin").write_bytes(content)
    with pytest.raises(DataError, match="record 4") as refused:
        cifar10_binary.read_folder(folder)
    assert "data_batch_2.bin" in str(refused.value)


def test_all_of_cifar_in_both_forms_is_the_same(cifar: Dataset, tmp_path: Path) -> None:
    """The unpacked binary form, written from the real images, loads to the very arrays of the Parquet form."""
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    planes = cifar.train_images.transpose(0, 3, 1, 2).reshape(50_000, 3072)
    records = np.concatenate([cifar.train_labels.astype(np.uint8)[:, None], planes], axis=1)
    for number in range(5):
        records[10_000 * number : 10_000 * (number + 1)].tofile(folder / f"data_batch_{number + 1}.bin")
    planes = cifar.test_images.transpose(0, 3, 1, 2).reshape(10_000, 3072)
    np.concatenate([cifar.test_labels.astype(np.uint8)[:, None], planes], axis=1).tofile(folder / "test_batch.bin")

    data = load("cifar10", tmp_path)
    for file in folder.iterdir():
        file.unlink()  # 180 MB that pytest would keep
    assert np.array_equal(data.train_images, cifar.train_images) and np.array_equal(data.test_images, cifar.test_images)
    np.testing.assert_array_equal(data.train_labels, cifar.train_labels)
    np.testing.assert_array_equal(data.test_labels, cifar.test_labels)
