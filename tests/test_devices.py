import pytest

from hpsearch.devices import device_for
from hpsearch.errors import DeviceError


@pytest.mark.parametrize(
    ("asked", "gpus", "expected"),
    [
        ("auto", 0, ("cpu", 0.0)),
        ("auto", 4, ("cuda", 1.0)),
        (0, 4, ("cpu", 0.0)),
        (0.5, 1, ("cuda", 0.5)),
        (2, 2, ("cuda", 2.0)),
    ],
)
def test_a_trial_gets_the_device_it_asks_for(asked, gpus, expected):
    assert device_for(asked, gpus, "here") == expected


@pytest.mark.parametrize(("asked", "gpus"), [(1, 0), (0.5, 0), (3, 2)])
def test_more_than_there_is_is_refused_with_what_there_is(asked, gpus):
    with pytest.raises(DeviceError, match=f"at most {gpus} on this machine"):
        device_for(asked, gpus, "this machine")
