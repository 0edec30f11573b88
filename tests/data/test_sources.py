import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hpsearch.errors import DataError
from tests.data import making
from trainer.data import Source, cifar10_binary, find, held_out_split, load
from trainer.data import sources as module

SPARSE_FILE_BYTES = cifar10_binary.FILE_BYTES


def unpacked(folder: Path) -> Path:
    """Six batch files of the right size, full of zeros that take no room on the disk."""
    folder.mkdir(parents=True)
    for name in cifar10_binary.FILES:
        (folder / name).touch()
        os.truncate(folder / name, SPARSE_FILE_BYTES)
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HPSEARCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_order_of_places(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "download of https://" in find("cifar10").where and str(cache) in find("cifar10").where
    assert not cache.exists()

    in_cache = unpacked(cache / "cifar-10-batches-bin")
    assert find("cifar10").where == f"CIFAR-10, binary files, {in_cache}"

    in_variable = unpacked(tmp_path / "variable")
    monkeypatch.setenv("HPSEARCH_DATA", str(in_variable))
    assert find("cifar10").where == f"CIFAR-10, binary files, {in_variable}"

    given = unpacked(tmp_path / "given")
    assert find("cifar10", given).where == f"CIFAR-10, binary files, {given}"


def test_what_is_known_without_loading(
    cifar_folder: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size of the images, and a place that leads to the same data from anywhere."""
    digits, parquet, remote = find("digits"), find("cifar10", cifar_folder), find("cifar10")
    assert digits.path is None
    assert (digits.lossy, parquet.lossy, remote.lossy) == (False, True, False)
    for source in (digits, parquet):
        images = source.load().train_images
        assert images.shape == (source.train_images, *source.shape)
    assert (remote.shape, remote.train_images) == (parquet.shape, parquet.train_images)
    assert (parquet.path, remote.path) == (cifar_folder, cache / "cifar-10-binary.tar.gz")

    monkeypatch.chdir(tmp_path)
    folder = unpacked(tmp_path / "data" / "cifar-10-batches-bin")
    relative = find("cifar10", Path("data"))
    assert relative.path == folder
    monkeypatch.chdir(cifar_folder)
    for source in (parquet, remote, relative):
        again = find("cifar10", source.path)
        assert (again.path, again.where) == (source.path, source.where)


def test_empty_variables_count_as_unset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPSEARCH_DATA", "")
    monkeypatch.setenv("HPSEARCH_CACHE", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert str(tmp_path / ".cache" / "hpsearch") in find("cifar10").where


def test_no_fallback_from_a_path_without_data(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked(cache)
    with pytest.raises(DataError, match="the path given does not exist"):
        find("cifar10", tmp_path / "nowhere")
    with pytest.raises(DataError, match="the path given does not hold CIFAR-10") as refused:
        find("cifar10", tmp_path)
    assert "cifar-10-binary.tar.gz" in str(refused.value) and "train*.parquet" in str(refused.value)
    monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path))
    with pytest.raises(DataError, match="HPSEARCH_DATA does not hold CIFAR-10"):
        find("cifar10")


def test_incomplete_data_are_found_without_loading(tmp_path: Path, cifar_folder: Path) -> None:
    folder = unpacked(tmp_path / "binary")
    (folder / "test_batch.bin").unlink()
    with pytest.raises(DataError, match=r"no test_batch\.bin"):
        find("cifar10", folder)
    (tmp_path / "parquet").mkdir()
    (tmp_path / "parquet" / "train.parquet").symlink_to(cifar_folder / "train.parquet")
    with pytest.raises(DataError, match="no Parquet file of the test split"):
        find("cifar10", tmp_path / "parquet")


def test_full_size_binary_files_are_read(tmp_path: Path) -> None:
    data = load("cifar10", unpacked(tmp_path / "data" / "cifar-10-batches-bin").parent)
    assert data.train_images.shape == (50_000, 32, 32, 3) and data.test_labels.shape == (10_000,)


def test_parquet_folder_is_found(cifar_folder: Path) -> None:
    assert find("cifar10", cifar_folder).where == f"CIFAR-10, Hugging Face Parquet, {cifar_folder}"


@pytest.mark.parametrize("name", ["cifar-10-python.tar.gz", "data_batch_1"])
def test_pickled_form_is_recognised_and_never_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(DataError, match="take the binary version"):
        find("cifar10", tmp_path)


def archive_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Path | None) -> Source:
    """Find a small archive, which a server that does not answer would offer."""
    monkeypatch.setattr(cifar10_binary, "FILE_BYTES", making.SMALL_FILE_BYTES)
    content = making.archive(making.good_members())
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(content)
    return module.find_cifar10(path, making.remote(content, "http://127.0.0.1:9/cifar-10-binary.tar.gz"))


@pytest.mark.parametrize("inside", ["", "cifar-10-binary.tar.gz"])
def test_archive_is_found_by_file_and_by_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str) -> None:
    source = archive_source(tmp_path, monkeypatch, tmp_path / inside)
    assert source.path == tmp_path / "cifar-10-binary.tar.gz"
    assert source.where == f"CIFAR-10, binary archive, {source.path}"
    assert len(source.load().train_images) == 5 * making.RECORDS


def test_archive_in_the_cache_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPSEARCH_CACHE", str(tmp_path))
    assert len(archive_source(tmp_path, monkeypatch, None).load().test_images) == making.RECORDS


def test_archive_is_downloaded_into_the_cache(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10_binary, "FILE_BYTES", making.SMALL_FILE_BYTES)
    content = making.archive(making.good_members())
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(content)
    cache.mkdir()
    (cache / ".cifar-10-binary.tar.gz.0").write_bytes(content[:100])  # what a killed download leaves is not data
    remote = making.remote(content, (tmp_path / "cifar-10-binary.tar.gz").as_uri())
    seen: list[int] = []
    source = module.find_cifar10(module.find_cifar10(None, remote).path, remote)  # as a study keeps it
    data = source.load(lambda done, total: seen.append(done))
    assert len(data.train_images) == 5 * making.RECORDS and seen[-1] == len(content)
    assert (cache / "cifar-10-binary.tar.gz").read_bytes() == content
    assert "binary archive" in module.find_cifar10(None, remote).where
    assert module.find_cifar10(None, remote).path == source.path


def test_failed_download_says_what_to_do(cache: Path) -> None:
    source = module.find_cifar10(None, making.remote(b"", "http://127.0.0.1:9/cifar-10-binary.tar.gz"))
    with pytest.raises(DataError, match="cannot download") as refused:
        source.load()
    assert "--data PATH or HPSEARCH_DATA" in str(refused.value)


def test_unofficial_archive_given_by_the_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(making.archive(making.good_members()))
    with pytest.raises(DataError, match="SHA-256 is wrong") as refused:
        load("cifar10", tmp_path)
    assert "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd" in str(refused.value)


def test_digits_need_no_path_and_take_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path))
    assert "bundled" in find("digits").where
    with pytest.raises(DataError, match="take no path"):
        find("digits", tmp_path)


def test_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(DataError, match="did you mean 'cifar10'"):
        find("cifar-10")


def test_folder_without_permission_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> Path:
        raise PermissionError(13, "Permission denied", "secret")

    monkeypatch.setattr(cifar10_binary, "find_folder", denied)
    with pytest.raises(DataError, match="Permission denied"):
        find("cifar10", tmp_path)


def test_package_stands_alone() -> None:
    """Importing it loads no search library, and no scikit-learn before the digits are asked for."""
    code = "import sys, trainer.data; print(*{'ray', 'optuna', 'typer', 'sklearn', 'torch'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_split_of_loaded_data_has_its_shape() -> None:
    digits = load("digits")
    kept, held = held_out_split(digits.train_labels, 200, 1_000)
    assert digits.train_images[kept].shape == (1_000, 8, 8, 1)
    assert np.bincount(digits.train_labels[held]).tolist() == [20] * 10
