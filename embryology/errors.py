"""The one error a person can fix."""

from pydantic import ValidationError


class EmbryologyError(Exception):
    """Something a person can fix, said in one line: what is wrong, where, what to do.

    The command line prints it without a traceback and exits with status 1. Every other exception
    is a defect of ours and keeps its traceback.
    """


REASONS = {"extra_forbidden": "there is no such key", "missing": "it is missing"}


def problems(error: ValidationError) -> str:
    """All that pydantic found wrong, each its place and the reason, on one line; keys that are not known first."""
    found = sorted(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    return "; ".join(
        f"{'.'.join(map(str, each['loc'])) or 'the whole'}: {REASONS.get(each['type'], each['msg'].lower())}"
        for each in found
    )
