"""What is wrong with the weights of series, by a few stretches of each checkpoint."""

import hashlib
import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from embryology.errors import EmbryologyError
from embryology.runs.audit import lineage, tensors
from embryology.runs.audit.files import shapes
from embryology.runs.audit.lineage import KIN, TELLING, TELLING_FIRST, UNRELATED
from embryology.runs.audit.observed import Finding, Observed, commonest, finding, listed, odd, trouble
from embryology.runs.audit.tensors import DamagedError, Stretch

KEPT, KEPT_BY_FAR = 0.5, 0.9
"""Mean cosine of the other matrices from which on a matrix without kin was made anew, and not trained away; the second
where it has so few numbers that its kinship is below :data:`TELLING_FIRST` at best."""


FEWEST = 8
"""Rows and columns of a matrix that may tell an order. A walk in few directions comes back to where it was: one or two
rows, such as those of token types, may move as fast as all else together, and to and fro."""


@dataclass(eq=False)
class Read:
    """The checkpoints of several series of one architecture, held against each other."""

    checkpoints: list[Observed]
    sha256: list[str]
    """Of the numbers that were read of each."""
    numbers: int
    """That were read of each."""
    precision: list[str | None]
    """The least dtype that holds the numbers of each; None of zeros."""
    parts: dict[str, np.ndarray]
    """By tensor, the kinship of every pair."""
    cosines: dict[str, np.ndarray]
    """Likewise their cosine, without matrices of fewer than :data:`FEWEST` rows or columns if there are others."""

    @property
    def kinship(self) -> np.ndarray:
        """Of every pair, over all tensors."""
        return (
            lineage.together(list(self.parts.values())) if self.parts else np.full([len(self.checkpoints)] * 2, np.inf)
        )

    @cached_property
    def cosine(self) -> np.ndarray:
        """Of every pair, the mean over tensors; ones where no tensor ever changes."""
        return self.cosine_without(())

    def cosine_without(self, names: Collection[str]) -> np.ndarray:
        """:attr:`cosine` over other tensors than these."""
        chosen = [cosine for name, cosine in self.cosines.items() if name not in names]
        count = len(self.checkpoints)
        return np.mean(chosen, axis=0) if chosen else np.ones((count, count))

    def places(self, series: Sequence[Observed]) -> list[int]:
        """Where the checkpoints of a series are, in its order."""
        of = {observed: place for place, observed in enumerate(self.checkpoints)}
        return [of[observed] for observed in series if observed in of]


def read(all_series: Sequence[Sequence[Observed]]) -> tuple[list[Read], list[tuple[Observed, Finding]]]:
    """Read the stretches of every checkpoint that has the tensors of most of its series.

    Series of one architecture are read together, so that their seeds can be held against each other.
    """
    alike: dict[tuple[Stretch, ...], list[Observed]] = {}
    for series in all_series:
        usable = [each for each in series if each.tensors]
        if usable:
            usual = commonest(shapes(each) for each in usable)
            same = [each for each in usable if shapes(each) == usual]
            alike.setdefault(tuple(tensors.chosen(same[0].tensors or {})), []).extend(same)
    made: list[Read] = []
    found: list[tuple[Observed, Finding]] = []
    for stretches, checkpoints in alike.items():
        if stretches:
            one, problems = _read(stretches, checkpoints, [series[0] for series in all_series if series])
            made.append(one)
            found += problems
    return made, found


def _read(
    stretches: Sequence[Stretch], checkpoints: list[Observed], firsts: Sequence[Observed]
) -> tuple[Read, list[tuple[Observed, Finding]]]:
    hashes = {each: hashlib.sha256() for each in checkpoints}
    narrow: dict[Observed, list[str]] = {each: [] for each in checkpoints}
    bad: dict[Observed, list[Finding]] = {}
    cosines: dict[str, np.ndarray] = {}
    parts: dict[str, np.ndarray] = {}
    for stretch in stretches:
        values = np.zeros((len(checkpoints), stretch.rows, stretch.columns))
        for place, each in enumerate(checkpoints):
            tensor = (each.tensors or {})[stretch.name]
            try:
                numbers = tensors.numbers(tensors.read(each.contents, tensor, stretch), tensor.dtype)
                if not np.isfinite(numbers).all():
                    raise DamagedError(f"{stretch.name} holds what is no finite number")
            except (EmbryologyError, OSError) as error:
                if each not in bad:
                    bad[each] = trouble(each, error)
                continue
            hashes[each].update(numbers.tobytes())
            if numbers.any():
                narrow[each].append(tensors.precision(numbers))
            values[place] = lineage.cut(numbers.reshape(stretch.rows, stretch.columns))
        good = [place for place, each in enumerate(checkpoints) if each not in bad]
        begun = all(values[place].any() for place in good if checkpoints[place] in firsts)
        # What is zero at the beginning has no direction there, and what never changes tells nothing.
        if good and begun and np.ptp(values[good], axis=0).any():
            cosines[stretch.name] = lineage.cosines(values)
            parts[stretch.name] = lineage.kinship(values)
    few = {stretch.name for stretch in stretches if min(stretch.rows, stretch.columns) < FEWEST}
    cosines = {name: cosine for name, cosine in cosines.items() if name not in few} or cosines
    good = [place for place, each in enumerate(checkpoints) if each not in bad]
    chosen, grid = [checkpoints[place] for place in good], np.ix_(good, good)
    return Read(
        chosen,
        [hashes[each].hexdigest() for each in chosen],
        sum(stretch.rows * stretch.columns for stretch in stretches),
        [max(narrow[each], key=["BF16", "F16", "F32"].index, default=None) for each in chosen],
        {name: kinship[grid] for name, kinship in parts.items()},
        {name: cosine[grid] for name, cosine in cosines.items()},
    ), [(each, found) for each, wrong in bad.items() for found in wrong]


def same_weights(series: Sequence[Observed], reads: Sequence[Read]) -> Iterator[Finding]:
    """Several names for the same weights, by the hashes of files or by the numbers that were read."""
    sampled = {each: (one, sha256) for one in reads for each, sha256 in zip(one.checkpoints, one.sha256, strict=True)}
    groups: dict[object, list[Observed]] = {}
    for each in series:
        key = sampled[each][1] if each in sampled else each.identity
        if key is not None:
            groups.setdefault(key, []).append(each)
    for group in groups.values():
        if len(group) > 1:
            identities = {each.identity for each in group}
            how = f"equal in all {sampled[group[0]][0].numbers:,} numbers that were read" if group[0] in sampled else ""
            if len(identities) == 1 and None not in identities:
                how = "their files are the same, byte for byte"
            yield finding("same weights", group, f"hold the same weights ({how})")


def of_series(one: Read, series: Sequence[Observed]) -> tuple[list[Finding], list[str]]:
    """What the weights of a series say of themselves, and what they cannot tell."""
    places = one.places(series)
    if not one.parts or len(places) < 2:
        return [], []
    checkpoints, kinship = [one.checkpoints[place] for place in places], one.kinship[np.ix_(places, places)]
    groups = lineage.lineages(kinship)
    found, notes = _strangers(checkpoints, kinship, groups)
    anew, more, weak = _made_anew(one, places, groups[0])
    found += more
    notes += weak
    cosine = one.cosine_without(anew)[np.ix_(places, places)]
    for group in groups:
        more, untold = _out_of_order([checkpoints[place] for place in group], cosine[np.ix_(group, group)])
        found += more
        notes += untold
    usual, others = odd({one.checkpoints[place]: one.precision[place] for place in places if one.precision[place]})
    dtypes = {tensor.dtype for each in checkpoints for tensor in (each.tensors or {}).values()}
    for narrow, which in others.items():
        if len(dtypes & set(tensors.BYTES)) == 1:  # else it was said
            says = f"all numbers that were read fit into {narrow}, where others need {usual}: weights were converted"
            found.append(finding("another dtype", which, says))
    return found, notes


def _strangers(
    checkpoints: Sequence[Observed], kinship: np.ndarray, groups: Sequence[Sequence[int]]
) -> tuple[list[Finding], list[str]]:
    """Checkpoints without kin in the largest lineage; not told where a run may have forgotten that much on its own."""
    main, steps = groups[0], np.array([each.step for each in checkpoints])
    common = _usual(kinship, main)
    found, notes = [], []
    for group in groups[1:]:
        one, other = min(itertools.product(group, main), key=lambda pair: abs(pair[0] - pair[1]))
        kept = _kept(kinship[np.ix_(main, main)], steps[list(main)], abs(steps[one] - steps[other]))
        what = (
            f"no kin of step {steps[other]:,} beside it (kinship {kinship[one, other]:.1f}, where {common:.0f} is "
            "usual and two seeds have 0)"
        )
        if kept and kinship[one, other] < UNRELATED:
            found.append(finding("foreign weights", [checkpoints[place] for place in group], what))
        else:
            which = listed([int(steps[place]) for place in group])
            notes.append(f"{which}: {what}; whether so much is forgotten in so many steps cannot be told")
    return found, notes


def _usual(kinship: np.ndarray, lineage_of: Sequence[int]) -> float:
    """The median kinship of neighbours of a lineage; 0 of one checkpoint alone."""
    return float(np.median([kinship[pair] for pair in itertools.pairwise(lineage_of)] or [0]))


def _kept(kinship: np.ndarray, steps: np.ndarray, apart: int) -> bool:
    """Whether any two checkpoints that are so many steps apart, or more, are kin."""
    return bool(((np.abs(steps[:, None] - steps[None, :]) >= apart) & (kinship >= KIN)).any())


def _made_anew(one: Read, places: Sequence[int], main: Sequence[int]) -> tuple[set[str], list[Finding], list[str]]:
    """Matrices without kin at other checkpoints, where the rest of the model goes on; those that cannot be judged."""
    inside = [places[place] for place in main]
    steps = np.array([one.checkpoints[place].step for place in inside])
    anew: dict[tuple[int, ...], list[str]] = {}
    weak = []
    for name, kinships in one.parts.items():
        kinship = kinships[np.ix_(inside, inside)]
        first, *others = lineage.lineages(kinship)
        if _usual(kinship, first) < TELLING and len(inside) > 1:
            weak.append(name)
        for group in others:
            near, far = min(itertools.product(group, first), key=lambda pair: abs(pair[0] - pair[1]))
            usual, others_cosine = _usual(kinship, first), one.cosine_without([name])[inside[near], inside[far]]
            if kinship[near, far] < UNRELATED and (
                _returns(kinship, group)
                or (
                    usual >= (TELLING_FIRST if [0] in (group, first) else TELLING)
                    and _kept(kinship, steps, abs(steps[near] - steps[far]))
                    and others_cosine >= (KEPT if usual >= TELLING_FIRST else KEPT_BY_FAR)
                )
            ):
                anew.setdefault(tuple(group), []).append(name)
    found = []
    for group_of, names in anew.items():
        which = [one.checkpoints[inside[place]] for place in group_of]
        says = f"{', '.join(names)}: no kin of what it is at other steps, as if initialised"
        found.append(finding("made anew", which, says))
    notes = [f"whether {', '.join(weak)} was made anew: too few numbers, or too much training at each step"]
    return {name for names in anew.values() for name in names}, found, notes * bool(weak)


def _returns(kinship: np.ndarray, group: Sequence[int]) -> bool:
    """Whether those on both sides of one checkpoint are kin and it is of neither, which no training does."""
    (place, *others), last = group, len(kinship) - 1
    beside = [place - 1, place + 1]
    return bool(
        not others
        and 0 < place < last
        and kinship[beside[0], beside[1]] >= TELLING
        and max(kinship[place, beside]) < UNRELATED
    )


def _out_of_order(checkpoints: Sequence[Observed], cosine: np.ndarray) -> tuple[list[Finding], list[str]]:
    """What is out of order in a lineage; and which neighbours could have changed places without being seen."""
    order, found = lineage.best_order(cosine), []
    places = {place: number for number, place in enumerate(order)}
    moved = lineage.displaced(order)
    while moved:
        block = [moved.pop(0)]
        while moved and moved[0] == block[-1] + 1 and places[moved[0]] == places[block[-1]] + 1:
            block.append(moved.pop(0))
        beside = [order[number] for number in (places[block[0]] - 1, places[block[-1]] + 1) if 0 <= number < len(order)]
        claimed = [place for place in (block[0] - 1, block[-1] + 1) if 0 <= place < len(order)]
        own, there = (
            max(cosine[place, each] for place in set(one) - set(other) or one for each in block)
            for one, other in ((claimed, beside), (beside, claimed))
        )
        where = f"between steps {' and '.join(f'{checkpoints[place].step:,}' for place in beside)}"
        if len(beside) == 1:
            where = f"{'before' if places[block[0]] == 0 else 'after'} step {checkpoints[beside[0]].step:,}"
        says = f"by their weights {where} (cosine {there:.4f} with the nearer, {own:.4f} where their names put them)"
        found.append(finding("out of order", [checkpoints[place] for place in block], says))
    pairs = [
        f"{checkpoints[place].step:,} and {checkpoints[place + 1].step:,}" for place in lineage.untold_pairs(cosine)
    ]
    return found, [f"whether steps {some} are in this order" for some in [", ".join(pairs)] if not found and some]


def of_seeds(one: Read, name: str, series: Sequence[Observed], others: Sequence[Observed]) -> Iterator[Finding]:
    """Whether a series has anything of another one, called ``name``, that is to be another seed."""
    ours, theirs = one.places(series), one.places(others)
    if not one.parts or not ours or not theirs:
        return
    kinship = one.kinship[np.ix_(ours, theirs)]
    kin = kinship >= KIN
    if kin.any():
        which, those = (
            [one.checkpoints[place] for place in np.array(some)[kin.any(axis)]]
            for some, axis in ((ours, 1), (theirs, 0))
        )
        equal = {one.sha256[place] for place in ours} & {one.sha256[place] for place in theirs}
        beside = f"{listed([each.step for each in those])} of {name}"
        what = f"{len(equal)} of them the same weights" if equal else "one beginning, or weights of the other"
        says = f"kin of {beside} (kinship up to {kinship.max():.0f}, where seeds have 0): {what}"
        yield finding("shared seed", which, says)
