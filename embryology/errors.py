"""The one error a person can fix."""

from pydantic import ValidationError


class EmbryologyError(Exception):
    """Something a person can fix, said in one line: what is wrong, where, what to do.

    The command line prints it without a traceback and exits with status 1. Every other exception
    is a defect of ours and keeps its traceback.
    """


def first_problem(error: ValidationError) -> str:
    """The first thing that pydantic found wrong: its place and the reason, on one line."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "the whole"
    reason = "there is no such key" if first["type"] == "extra_forbidden" else first["msg"].lower()
    return f"{place}: {reason}"
