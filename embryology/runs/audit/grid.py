"""Steps that a series leaves out, as far as the others tell."""

import itertools
import math
from collections.abc import Iterator, Sequence

LEAST_RATIO = 1.5
"""Of neighbours; below it every series of equal differences looks like one of equal ratios in the end."""
ALIKE = 0.15
"""By how much ratios may differ."""
RUN = 4
"""So many equal differences, or ratios, and what would go on beyond them is expected to."""


def missing_steps(steps: Sequence[int]) -> list[int]:
    """Steps that a regular series leaves out, in rising order.

    A difference of neighbours is a gap where it is a multiple of the two differences on each side of it, which are all
    alike (one on a side will do where there are two on the other); or a ratio is a power of the ratios around it, alike
    but for 15%, as those of 1, 3, 10, 30 are. Beside a run of four equal differences a single step may be missing, too:
    before it a multiple of the difference, if they are multiples themselves; after it the next one, at the end of the
    series or where other equal differences follow. Of equal ratios it may be the second step or the last but one. Where
    the spacing is uneven nothing is said.

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
    return sorted(found | _beside_runs(steps) | _beside_ratios([step for step in steps if step > 0]))


def _beside_runs(steps: Sequence[int]) -> set[int]:
    """A step before or after a run of equal differences."""
    found, differences = set(), [other - one for one, other in itertools.pairwise(steps)]
    for number, (before, after) in enumerate(itertools.pairwise(steps)):
        preceding, gap, following = differences[:number][-RUN:], after - before, differences[number + 1 :][:RUN]
        run_follows = len(following) == RUN and len(set(following)) == 1
        if run_follows and after % following[0] == 0:
            multiples = range(before - before % following[0] + following[0], after, following[0])
            found |= {*multiples} if len(multiples) == 1 else set()
        goes_on = not following or following[:1] == preceding[-1:] or (run_follows and following[0] != gap)
        if preceding == [gap / 2] * RUN and goes_on:
            found.add(before + preceding[0])
    return found


def _beside_ratios(steps: Sequence[int]) -> set[int]:
    """The second or the last but one step of a series of equal ratios."""
    found, pairs = set(), list(itertools.pairwise(steps))
    for (before, after), others in ((pairs[0], pairs[1:]), (pairs[-1], pairs[:-1])) if len(pairs) > RUN else ():
        ratio = math.exp(sum(math.log(other / one) for one, other in others) / len(others))
        own = math.sqrt(after / before)
        if ratio >= LEAST_RATIO and all(abs(each / ratio - 1) < ALIKE for each in (own, *(b / a for a, b in others))):
            found.add(round(before * ratio))
    return found


def uneven(steps: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbours between which a missing step could not be told, as they are spaced unlike those beside them.

    Args:
        steps: rising, each once.
    """
    pairs, told = list(itertools.pairwise(steps)), set()
    for one, other in itertools.pairwise(pairs):
        ratios = [after / max(before, 0.5) for before, after in (one, other)]
        alike = ratios[0] >= LEAST_RATIO and abs(ratios[1] / ratios[0] - 1) < ALIKE
        if one[1] - one[0] == other[1] - other[0] or alike:
            told |= {one, other}
    positive = [step for step in steps if step > 0][: RUN + 1]
    if len(positive) > RUN and steps[0] == 0 and [positive[0] ** power for power in range(1, RUN + 2)] == positive:
        told -= {pairs[0]}  # of 0, 2, 4, 8, 16 the 1 may be missing
    return [pair for pair in pairs if pair not in told]


def _spacings(steps: Sequence[int]) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Two neighbours, and the pairs of neighbours around them: at least three, on both sides."""
    pairs = list(itertools.pairwise(steps))
    for number, (before, after) in enumerate(pairs):
        left, right = pairs[max(number - 2, 0) : number], pairs[number + 1 : number + 3]
        if left and right and len(left) + len(right) >= 3:
            yield before, after, [*left, *right]
