"""Tasks of no language, made by program: parity, majority, ranges, a regular language, sorting.

After Madasu and Srivastava 2022 (2210.12302), who ask what pretraining on text gives to such tasks. Every answer is as
often right as any other, no sequence stands in both sets, and where it can be helped the right and the wrong have the
same symbols, so that counting them tells nothing: a wrong one is a right one of which two symbols were exchanged.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

import numpy as np

from embryology.specs.downstream import PROGRAMS as LABELS
from embryology.specs.sources import Data, Source
from embryology.tasks import Example, Split, Task

VERSION = 1
"""Raised whenever examples are made otherwise."""
TRAIN, DEV = 4000, 1000
Made = tuple[str, bool]
"""A sequence of symbols with spaces between them, and the answer."""
HIGHEST = 99
"""Number of a range."""
ORDERED = "abcd"
"""Symbols of the regular language a+b+c+d+."""


def _written(symbols: "np.ndarray | list") -> str:
    return " ".join(map(str, symbols))


def _parity(rng: np.random.Generator) -> Made:
    """Is the number of a's even? 8 to 14 of a and b."""
    symbols = rng.choice(["a", "b"], rng.integers(8, 15))
    return _written(symbols), int((symbols == "a").sum()) % 2 == 0


def _majority(rng: np.random.Generator) -> Made:
    """Are there more a's than b's? 9 to 15 of both, an odd number."""
    symbols = rng.choice(["a", "b"], 2 * rng.integers(4, 8) + 1)
    return _written(symbols), int((symbols == "a").sum()) > len(symbols) / 2


def _range(rng: np.random.Generator) -> Made:
    """Is the first number one from the second to the third? Others are up to half as wide away on either side."""
    low, high = sorted(rng.choice(HIGHEST + 1, 2, replace=False).tolist())
    inside = bool(rng.random() < 0.5)
    margin = max(1, (high - low) // 2)
    outside = [*range(max(0, low - margin), low), *range(high + 1, min(HIGHEST, high + margin) + 1)]
    if not (inside or outside):
        return _range(rng)
    number = rng.integers(low, high + 1) if inside else rng.choice(outside)
    return _written([number, low, high]), inside


def _exchanged(symbols: np.ndarray, places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With the symbol at one of ``places`` and the next exchanged."""
    at = rng.choice(places)
    symbols = symbols.copy()
    symbols[[at, at + 1]] = symbols[[at + 1, at]]
    return symbols


def _ordered(symbols: np.ndarray, rng: np.random.Generator) -> Made:
    """Rising ``symbols``, or by chance with two neighbours that differ exchanged."""
    right = bool(rng.random() < 0.5)
    borders = np.flatnonzero(symbols[1:] != symbols[:-1])
    return _written(symbols if right else _exchanged(symbols, borders, rng)), right


def _regular(rng: np.random.Generator) -> Made:
    """Is it of the language a+b+c+d+? 8 to 20 symbols."""
    length = rng.integers(8, 21)
    borders = [0, *sorted(rng.choice(np.arange(1, length), len(ORDERED) - 1, replace=False).tolist()), length]
    return _ordered(np.repeat(list(ORDERED), [after - first for first, after in pairwise(borders)]), rng)


def _sorted(rng: np.random.Generator) -> Made:
    """Does no digit follow a larger one? 6 to 9 digits."""
    digits = np.sort(rng.integers(0, 10, rng.integers(6, 10)))
    return _sorted(rng) if digits[0] == digits[-1] else _ordered(digits, rng)


MAKERS: dict[str, Callable[[np.random.Generator], Made]] = {
    "parity": _parity,
    "majority-vote": _majority,
    "range": _range,
    "regular": _regular,
    "sorted": _sorted,
}


def read(name: str) -> Task:
    """A task by its name, of :data:`MAKERS`; always the same examples."""
    rows = list(_examples(name, TRAIN + DEV))
    return Task(
        name,
        LABELS[name],
        ("no", "yes"),
        ("accuracy",),
        Split(rows[DEV:]),
        {"dev": Split(rows[:DEV])},
        every_piece_counts=True,
    )


def _examples(name: str, count: int) -> Iterator[Example]:
    """Different ones, the answers in turn."""
    rng = np.random.default_rng(sum(map(ord, name)))
    seen: set[str] = set()
    for number in range(count):
        answer = number % 2 == 1
        while True:
            text, right = MAKERS[name](rng)
            if right == answer and text not in seen:
                break
        seen.add(text)
        yield Example(str(number), text, None, int(answer))


def _find(task: str, name: str, part: str) -> Data:
    return Data(name, LABELS[task], (), lambda: {"made by program": VERSION}, lambda _: read(task))


SOURCES = tuple(Source("task", name, partial(_find, name)) for name in MAKERS)
