"""Runs programs one after the other, in the environment of a client. It needs nothing but the standard library.

A line of stdin is a JSON object with the text of a program and environment variables for it; a line of stdout is one
with what the program printed, and its error if it raised one.
"""

import contextlib
import io
import json
import os
import sys
from typing import Any


def run(code: str, environ: dict[str, str]) -> dict[str, Any]:
    printed, error = io.StringIO(), None
    before = dict(os.environ)
    os.environ.update(environ)
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "<test>", "exec"), {"__name__": "__main__"})
    except Exception as raised:
        error = {"kind": type(raised).__name__, "message": str(raised)}
    finally:
        os.environ.clear()
        os.environ.update(before)
    return {"printed": printed.getvalue(), "error": error}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(**json.loads(line))), flush=True)
