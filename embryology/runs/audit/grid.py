"""Steps that a series leaves out, as far as the others tell."""

import itertools
import math
from collections.abc import Iterator, Sequence

LEAST_RATIO = 1.5
"""Of neighbours; below it every series of equal differences looks like one of equal ratios in the end."""
ALIKE = 0.15
"""By how much ratios may differ."""


def missing_steps(steps: Sequence[int]) -> list[int]:
    """Steps that a regular series leaves out, in rising order.

    A difference of neighbours is a gap where it is a multiple of the two differences on each side of it, which are all
    alike (one on a side will do where there are two on the other); or a ratio is a power of the ratios around it, alike
    but for 15%, as those of 1, 3, 10, 30 are. Where the spacing changes or is uneven nothing is said.

    Args:
        steps: rising, each once.
    """
    found: set[int] = set()
    for before, after, near in _spacings(steps):
        differences = {other - one for one, other in near}
        difference = min(differences)
        if len(differences) == 1 and (after - before) % difference == 0:
            found.update(range(before + difference, after, difference))
    for before, after, near in _spacings([step for step in steps if step > 0]):
        ratios = sorted(other / one for one, other in near)
        ratio = math.exp(sum(map(math.log, ratios)) / len(ratios))
        power = round(math.log(after / before, ratio))
        own = (after / before) ** (1 / max(power, 1))
        if power > 1 and ratio >= LEAST_RATIO and all(abs(each / ratio - 1) < ALIKE for each in (own, *ratios)):
            found.update(round(before * own**number) for number in range(1, power))
    return sorted(found)


def _spacings(steps: Sequence[int]) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Two neighbours, and the pairs of neighbours around them: at least three, on both sides."""
    pairs = list(itertools.pairwise(steps))
    for number, (before, after) in enumerate(pairs):
        left, right = pairs[max(number - 2, 0) : number], pairs[number + 1 : number + 3]
        if left and right and len(left) + len(right) >= 3:
            yield before, after, [*left, *right]
