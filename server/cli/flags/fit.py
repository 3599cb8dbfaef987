"""Flags of the fit: what is reduced to the memory that is free."""

from server.cli.parser import Flag, Group, Switch
from server.cli.values import MAX_SIZE, int_in_range, invalid, on_off


def margins(text: str) -> tuple[int, ...]:
    """Returns the MiB of a list such as 1024,512."""
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise invalid("numbers of MiB of 0 or more, with commas between them", text)
    return tuple(map(int, parts))


FIT = Group(
    "memory",
    "What will be needed is computed from the model's header, before anything is loaded.",
    Flag(
        "-fit, --fit on|off",
        "fit",
        on_off,
        "reduce -c, then -ngl, unless they are set, to what fits into the memory that is free",
        "LLAMA_ARG_FIT",
    ),
    Flag(
        "-fitt, --fit-target MiB0,MiB1,...",
        "fit_target_mib",
        margins,
        "MiB to leave free on each device, or one number for all; of host memory at most an eighth of what is free",
        "LLAMA_ARG_FIT_TARGET",
    ),
    Flag(
        "-fitc, --fit-ctx N",
        "fit_ctx",
        int_in_range(1, MAX_SIZE),
        "number of tokens that -c is not reduced below",
        "LLAMA_ARG_FIT_CTX",
    ),
    Switch("--dry-run", "dry_run", "print what the model is and needs, and exit: 0 if that fits into memory, else 1"),
)
