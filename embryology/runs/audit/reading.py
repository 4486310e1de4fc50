"""What is read of checkpoints: of those on the Hub all that is needed at once, several side by side, each byte once."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

from embryology.errors import EmbryologyError
from embryology.runs.audit import tensors
from embryology.runs.audit.observed import Entry, Finding, Observed, finding, headers, trouble
from embryology.runs.contents import Counted
from embryology.runs.hub import revisions

AT_ONCE = 8
"""Checkpoints on the Hub that are read side by side, as little is asked of each."""
PATIENCE = 8
"""So many on the Hub that could not be had, one after the other, and no more are asked for: it may hang with each."""


def observe(entries: Sequence[Entry], whole: bool) -> tuple[list[Observed], list[Finding], list[tuple[int, str]]]:
    """The checkpoints of a series with what the headers of their weights say.

    Args:
        entries: by rising step.
        whole: whether every file of weights is read from end to end, too. What is on the Hub is downloaded for that,
            one checkpoint at a time, and let go again.

    Returns:
        The checkpoints, what is wrong with each of them alone, and the steps of those that cannot be listed with the
        reason.
    """
    failed = 0

    def of_entry(entry: Entry) -> tuple[Observed | None, list[Finding], str]:
        nonlocal failed  # an estimate, as several count at a time
        contents, remote = entry.contents, isinstance(entry.contents, revisions.Contents)
        try:
            observed = Observed.of(entry, Counted(contents, remember=remote))
        except (EmbryologyError, OSError) as error:
            return None, [], str(error)
        if not isinstance(contents, revisions.Contents):
            return observed, [*headers(observed), *(_read_whole(observed) if whole else [])], ""
        if failed >= PATIENCE:
            observed.unread = f"{PATIENCE} others, one after the other, could not be had"
            return observed, [], ""
        found: list[Finding] = []
        try:
            at_hand = contents.downloaded(observed.weights) if whole else nullcontext(contents)
            with at_hand as here, observed.contents.lent(here):
                found += [*headers(observed), *(_read_whole(observed) if whole else [])]
                for stretch in tensors.chosen(observed.tensors or {}):
                    tensors.read(observed.contents, (observed.tensors or {})[stretch.name], stretch)
        except (EmbryologyError, OSError) as error:
            trouble(observed, error)  # what is damaged is told when the numbers are asked for again
        if observed.unread:
            observed.tensors = None
        failed = failed + 1 if observed.unread else 0
        return observed, found, ""

    with ThreadPoolExecutor(1 if whole else AT_ONCE) as pool:
        results = list(pool.map(of_entry, entries))
    made = [observed for observed, _, _ in results if observed is not None]
    unlisted = [(entry.step, reason) for entry, (_, _, reason) in zip(entries, results, strict=True) if reason]
    return made, [each for _, found, _ in results for each in found], unlisted


def _read_whole(observed: Observed) -> list[Finding]:
    found: list[Finding] = []
    for file in observed.weights:
        digest = hashlib.sha256()
        try:
            for block in observed.contents.blocks(file):
                digest.update(block)
        except (EmbryologyError, OSError) as error:
            found += trouble(observed, error)
            continue
        observed.sha256[file] = digest.hexdigest()
        said = observed.contents.files[file].sha256
        if said not in (None, digest.hexdigest()):
            found.append(finding("damaged", [observed], f"{file} has another sha256 than is said of it"))
    return found
