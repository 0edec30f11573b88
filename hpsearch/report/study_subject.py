"""What a study of the trainer looked at, where and with which versions: one line for all kinds of study."""

from collections.abc import Iterator, Mapping
from typing import Any

from hpsearch.report.markdown import counted

VERSIONS = ("hpsearch", "python", "torch", "numpy")


def subject(about: Mapping[str, Any], parts: Mapping[str, Any], noun: str = "part") -> str:
    """Return a line on a study from what its record says ``about`` it and of its finished ``parts``."""
    lossy = " The images are lossy copies, not the originals." if about.get("lossy") else ""
    said = [f"Recipe {about['recipe']}, {about['data']}, on {about['device']}", *_where(parts, noun)]
    return f"{'; '.join(said)}.{lossy}"


def _where(parts: Mapping[str, Any], noun: str) -> Iterator[str]:
    """Say where the parts were computed; more than one answer where they were computed in several places."""
    places = dict.fromkeys(_place(part) for part in parts.values())
    yield from (place for place in places if place)
    if parts:
        seconds = sum(part.get("seconds", 0) for part in parts.values())
        yield f"{counted(len(parts), noun)} in {seconds:.0f} s"


def _place(part: Mapping[str, Any]) -> str:
    versions, hardware = part.get("versions", {}), part.get("hardware", {})
    known = [f"{name} {versions[name]}" for name in VERSIONS if versions.get(name)]
    threads = [counted(part["threads"], "thread")] if "threads" in part else []
    return ", ".join([*([hardware["cpu"]] if hardware.get("cpu") else []), *threads, *known])
