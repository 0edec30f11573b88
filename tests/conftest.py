import os
from pathlib import Path

import pytest

from trainer.data import Dataset, load

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def no_data_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests neither see nor touch the data that whoever runs them has."""
    monkeypatch.delenv("HPSEARCH_DATA", raising=False)
    monkeypatch.setenv("HPSEARCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache-is-empty"))


@pytest.fixture(scope="session")
def cifar_folder() -> Path:
    """All of CIFAR-10 as Parquet."""
    folder = Path(os.environ.get("HPSEARCH_TEST_CIFAR") or REPOSITORY.parent / "shared" / "data" / "cifar10-jpeg75")
    if not folder.is_dir():
        pytest.skip(f"no CIFAR-10 in {folder}; name its folder with HPSEARCH_TEST_CIFAR")
    return folder


@pytest.fixture(scope="session")
def cifar(cifar_folder: Path) -> Dataset:
    """All of CIFAR-10, decoded once (about 5 s)."""
    return load("cifar10", cifar_folder)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load("digits")
