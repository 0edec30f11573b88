"""Large and small quantities with their units, three digits of each."""


def flop(value: float) -> str:
    """Return a number of FLOP."""
    return _scaled(value, "FLOP")


def of_bytes(value: float) -> str:
    """Return a number of bytes."""
    return _scaled(value, "B")


def time(seconds: float) -> str:
    """Return a time span."""
    for factor, unit in ((60, "min"), (1, "s"), (1e-3, "ms")):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} us"


def milliseconds(seconds: float) -> str:
    """Return a time span without its unit, to a hundredth."""
    return f"{1e3 * seconds:.2f}"


def _scaled(value: float, unit: str) -> str:
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"
