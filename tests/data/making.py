"""CIFAR-10 in its binary and Parquet forms, small and written the slow, obvious way."""

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from trainer.data import cifar10_binary
from trainer.data.download import Remote

RECORDS = 12
SMALL_FILE_BYTES = RECORDS * 3073


def images_and_labels(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 32, 32, 3), np.uint8), rng.integers(0, 10, count)


def batch_file(images: np.ndarray, labels: np.ndarray) -> bytes:
    """The records byte by byte, as the page of the data set describes them."""
    content = bytearray()
    for image, label in zip(images, labels, strict=True):
        content.append(label)
        for channel in range(3):
            for row in range(32):
                content.extend(image[row, column, channel] for column in range(32))
    return bytes(content)


def batch_files() -> dict[str, bytes]:
    return {name: batch_file(*images_and_labels(RECORDS, seed)) for seed, name in enumerate(cifar10_binary.FILES)}


def regular(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    return member, content


def special(name: str, kind: bytes, target: str) -> tuple[tarfile.TarInfo, bytes]:
    """A member that is no file, though its header says it has the size of one."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, SMALL_FILE_BYTES
    return member, b""


def good_members() -> list[tuple[tarfile.TarInfo, bytes]]:
    return [regular(f"cifar-10-batches-bin/{name}", content) for name, content in batch_files().items()]


def archive(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content) if content else None)
    return packed.getvalue()


def remote(content: bytes, url: str = "http://localhost/cifar-10-binary.tar.gz") -> Remote:
    return Remote(url, hashlib.sha256(content).hexdigest(), len(content))


def encoded(image: np.ndarray, form: str = "PNG") -> bytes:
    data = io.BytesIO()
    Image.fromarray(image).save(data, form)
    return data.getvalue()


def write_parquet(file: Path, images: list[bytes | None], labels: list[Any]) -> None:
    cells = [None if image is None else {"bytes": image, "path": f"{row}.png"} for row, image in enumerate(images)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({"img": pa.array(cells, kind), "label": pa.array(labels, pa.int64())}), file)
