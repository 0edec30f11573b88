"""The line on what a study looked at and where."""

from hpsearch.report.study_subject import subject

ABOUT = {"recipe": "toy", "data": "toy data", "lossy": False, "device": "cpu"}
VERSIONS = {"python": "3.11.7", "torch": "2.13.0", "ray": "2.60"}


def part(seconds, threads=1, **versions):
    where = {"threads": threads, "versions": {**VERSIONS, **versions}, "hardware": {"cpu": "made processor"}}
    return {"seconds": seconds, **where}


def test_parts_computed_in_one_place_name_it_once():
    assert subject(ABOUT, {"a": part(1.4), "b": part(2.4)}) == (
        "Recipe toy, toy data, on cpu; made processor, 1 thread, python 3.11.7, torch 2.13.0; 2 parts in 4 s."
    )


def test_every_place_is_named():
    text = subject(ABOUT, {"a": part(1), "b": part(1, threads=2), "c": part(1, torch="2.14.0")}, "round")
    assert "; made processor, 1 thread, python 3.11.7, torch 2.13.0; made processor, 2 threads, python" in text
    assert "torch 2.14.0; 3 rounds in 3 s." in text


def test_what_is_not_known_is_not_said():
    assert subject({**ABOUT, "lossy": True}, {}) == (
        "Recipe toy, toy data, on cpu. The images are lossy copies, not the originals."
    )
    assert subject(ABOUT, {"a": {}}) == "Recipe toy, toy data, on cpu; 1 part in 0 s."
