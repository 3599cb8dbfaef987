"""Units: numbers for people to read."""


def human_size(n_bytes: int) -> str:
    """Returns a number of bytes with a decimal unit, such as "4.1 MB"."""
    return _scaled(n_bytes, ("bytes", "kB", "MB", "GB", "TB"))


def human_count(count: int) -> str:
    """Returns a count with a decimal unit, such as "7.2 B" for 7,241,732,096."""
    return _scaled(count, ("", "K", "M", "B", "T"))


def _scaled(number: int, units: tuple[str, ...]) -> str:
    power = 0
    while round(number / 1000**power, 1) >= 1000 and power < len(units) - 1:
        power += 1
    digits = f"{number / 1000**power:,.1f}".removesuffix(".0")
    return f"{digits} {units[power]}".strip()
