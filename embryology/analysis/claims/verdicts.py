"""What runs at hand say of each claim: by recipe, and over all recipes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from embryology.analysis.acquisition import CannotBeTold
from embryology.analysis.claims import CLAIMS, late
from embryology.analysis.claims.claim import Claim, Seen, named
from embryology.analysis.claims.decisions import (
    FEWEST_SEEDS,
    UNDECIDED,
    Estimate,
    estimate,
    outcomes,
)
from embryology.runs import measurements
from embryology.runs.series import Series

ELECTRA = "electra"
NO_DATE = "when it was measured is not recorded, as it was not trained here"
LOOKED_AT = {"tiny": (0, 1, 2), "tiny-bert": (0,), "tiny-electra": (0,)}
"""By preset the seeds whose measurements were there when the rules were written."""


@dataclass(frozen=True)
class Verdict:
    """What the seeds of one recipe say of one claim."""

    claim: Claim
    recipe: str
    seeds: tuple[str, ...] = ()
    """Names of the series behind the number,"""
    values: tuple[float, ...] = ()
    """and the number of each."""
    estimate: Estimate | None = None
    p: float = 0.0
    """Of the further hypothesis (:attr:`Measured.p`)."""
    outcome: str = UNDECIDED
    supports: float = 1.0
    opposes: float = 1.0
    """Adjusted p of the claim's not being true, and of its being true."""
    reasons: tuple[str, ...] = ()
    """Why it is undecided, or series are left out: clauses."""
    exploratory: tuple[str, ...] = ()
    """Why it is no verdict proper, clauses; empty where it is one."""
    remark: str = ""
    about: bool = True
    """Whether the claim is about models of this family."""

    @property
    def unadjusted(self) -> tuple[float, float]:
        """p for and against by this claim alone."""
        if self.estimate is None:
            return 1.0, 1.0
        rule = self.claim.rule
        return max(rule.supports(self.estimate), self.p), rule.opposes(self.estimate)


@dataclass(frozen=True)
class Overall:
    """What all recipes say of one claim together."""

    claim: Claim
    outcome: str
    supports: float
    opposes: float
    """Adjusted p."""
    of: tuple[Verdict, ...]
    """Those of the recipes that it rests on,"""
    others: tuple[Verdict, ...]
    """and of the others that it is about."""

    @property
    def is_exploratory(self) -> bool:
        return bool(self.of) and all(each.exploratory for each in self.of)


@dataclass(frozen=True)
class Verdicts:
    """Of all claims."""

    overall: tuple[Overall, ...]
    phases: dict[str, str | None]
    """By name of a series why it has no late phase, None where it has."""
    recipes: dict[str, tuple[str, ...]]
    """By recipe the names of its series."""

    def of(self, name: str) -> Overall:
        """Of the claim of this name."""
        return next(each for each in self.overall if each.claim.name == name)


def read(series: Sequence[Series], steps: str = "all", claims: Sequence[Claim] = CLAIMS) -> Verdicts:
    """The verdicts of all claims.

    Within a recipe the twelve are corrected for being twelve. Over all a claim is supported, or not, where it is by
    every recipe that has a number for it: the largest p counts, so that more recipes make no claim easier to support.
    Exploratory recipes count only where there is no other.

    Args:
        series: all that are at hand.
        steps: which checkpoints of the first, and of the other seeds of its recipe at the same steps.
        claims: others are for tests.

    Raises:
        EmbryologyError: a step that the first series does not have, or damaged measurements.
    """
    groups = recipes(series)
    chosen = None if steps == "all" else frozenset(checkpoint.step for checkpoint in series[0].select(str(steps)))
    of_first = {each.folder.root for seeds in groups.values() if series[0] in seeds for each in seeds}
    seen = {
        name: [Seen(each, chosen if each.folder.root in of_first else None) for each in seeds]
        for name, seeds in groups.items()
    }
    by_recipe = {name: _decided([_verdict(claim, name, seeds) for claim in claims]) for name, seeds in seen.items()}
    return Verdicts(
        _overall(claims, [verdict for verdicts in by_recipe.values() for verdict in verdicts]),
        {each.name: late.why_not(each) for each in series},
        {name: tuple(each.name for each in seeds) for name, seeds in groups.items()},
    )


def recipes(series: Sequence[Series]) -> dict[str, list[Series]]:
    """Series by recipe, of each seed the first; a series of which no recipe is known is one by itself.

    Recipes are called by their preset or by what was said of them, or by their first series where two are called alike.
    """
    groups: dict[str, dict[int | None, Series]] = {}
    for each in series:
        groups.setdefault(each.recipe or str(each.folder.root), {}).setdefault(each.seed, each)
    seeds = [list(group.values()) for group in groups.values()]
    names = [group[0].manifest.preset if group[0].manifest else group[0].record.recipe for group in seeds]
    return {
        name
        if name and names.count(name) == 1 and name not in {each.name for each in series} - {group[0].name}
        else group[0].name: group
        for group, name in zip(seeds, names, strict=True)
    }


def _verdict(claim: Claim, recipe: str, seeds: Sequence[Seen]) -> Verdict:
    """Of one claim by itself, not yet corrected for being one of several."""
    families = {_family(claim, seen) for seen in seeds} if claim.families else set()
    if other := families - {*claim.families, None}:
        reason = f"the claim is about {named(claim.families)}, and this is {named(sorted(map(str, other)))}"
        return Verdict(claim, recipe, reasons=(reason,), about=False)
    reasons = {seen.series.name: _lacking(claim, seen) for seen in seeds}
    kept = [seen for seen in seeds if reasons[seen.series.name] is None]
    if len(kept) >= FEWEST_SEEDS:
        reasons |= _otherwise(claim, kept)
        kept = [seen for seen in kept if reasons[seen.series.name] is None]
    early = {seen.series.name: _too_early(claim, seen) for seen in kept}
    proper = [seen for seen in kept if early[seen.series.name] is None]
    if len(proper) >= FEWEST_SEEDS:
        reasons |= {
            seen.series.name: f"{early[seen.series.name]}, so that it is left out"
            for seen in kept
            if seen not in proper
        }
        kept = proper
    exploratory = tuple(_of_names({seen.series.name: early[seen.series.name] for seen in kept}))
    said, names = tuple(_of_names(reasons)), tuple(seen.series.name for seen in kept)
    verdict = Verdict(claim, recipe, names, reasons=said, exploratory=exploratory)
    if not kept:
        return verdict
    if len(kept) < FEWEST_SEEDS:
        return replace(verdict, reasons=(*said, f"{len(kept)} of the {FEWEST_SEEDS} seeds that it takes"))
    try:
        measured = claim.measure(kept)
    except CannotBeTold as reason:
        return replace(verdict, reasons=(str(reason), *said))
    found = estimate(measured.values, measured.grain)
    values = tuple(float(value) for value in measured.values[:, 0])
    verdict = replace(verdict, values=values, p=measured.p, remark=measured.remark)
    if isinstance(found, str):
        return replace(verdict, reasons=(found, *said))
    return replace(verdict, estimate=found)


def _lacking(claim: Claim, seen: Seen) -> str | None:
    """Why a series says nothing of a claim, as a clause."""
    if reason := measurements.lacking(seen.series, claim.probe):
        return reason
    if _family(claim, seen) == ELECTRA and (reason := late.blind_discriminator(seen.series)):
        return reason
    return late.why_not(seen.series) if claim.late else None


def _family(claim: Claim, seen: Seen) -> str | None:
    """Of the model of a series; None where nothing says it."""
    if seen.series.manifest:
        return str(seen.series.manifest.outcome.model.family)
    if measurements.lacking(seen.series, claim.probe):
        return None
    return str(seen.frame(claim.probe)["model"].iloc[0])


def _otherwise(claim: Claim, seeds: Sequence[Seen]) -> dict[str, str]:
    """By name why seeds cannot be put beside the others: measured otherwise than most, or the same weights twice."""
    reasons: dict[str, str] = {}
    alike: dict[str, list[str]] = {}
    for seen in seeds:
        configuration = measurements.standing(seen.series.folder)[claim.probe]
        steps = sorted(int(step) for step in seen.frame(claim.probe)["step"].unique())
        alike.setdefault(f"{configuration.sha256} {steps}", []).append(seen.series.name)
    most = max(alike.values(), key=len, default=[])
    keys: dict[Any, str] = {}
    for seen in seeds:
        name, frame = seen.series.name, seen.frame(claim.probe)
        if name not in most:
            reasons[name] = (
                f"it was measured with other settings, data or tokenizer, or at other checkpoints, than {most[0]}"
            )
            continue
        key = frame.loc[frame["step"] == frame["step"].max(), "key"].iloc[0]
        if key in keys:
            reasons[name] = f"its weights are those of {keys[key]}"
        keys.setdefault(key, name)
    return reasons


def _too_early(claim: Claim, seen: Seen) -> str | None:
    """Why a series is exploratory for a claim, as a clause: it may have been looked at before the rule was written."""
    manifest = seen.series.manifest
    if manifest is None or not manifest.sessions:
        return NO_DATE
    if datetime.fromisoformat(manifest.sessions[0].started) < claim.written:
        return "its training began before the rule was written"
    if seen.series.seed in LOOKED_AT.get(manifest.preset, ()):
        return "its seed was measured before the rule was written, and comes out much the same again"
    return None


def _of_names(reasons: dict[str, str | None]) -> list[str]:
    """Clauses, each once, with the names of the series that it is about."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        if reason:
            by_reason.setdefault(reason, []).append(name)
    return [f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()]


def _decided(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Corrected for being several."""
    made = outcomes(*zip(*(each.unadjusted for each in verdicts), strict=True))
    return [
        replace(each, outcome=outcome, supports=supports, opposes=opposes)
        for each, (outcome, supports, opposes) in zip(verdicts, made, strict=True)
    ]


def _overall(claims: Sequence[Claim], verdicts: Sequence[Verdict]) -> tuple[Overall, ...]:
    rests, others = [], []
    for claim in claims:
        about = [each for each in verdicts if each.claim is claim and each.about]
        numbers = [each for each in about if each.estimate is not None]
        proper = [each for each in numbers if not each.exploratory]
        rests.append(tuple(proper or numbers))
        others.append(tuple(each for each in about if each not in rests[-1]))
    worst = [tuple(map(max, zip(*(each.unadjusted for each in of), strict=True))) if of else (1.0, 1.0) for of in rests]
    made = outcomes(*zip(*worst, strict=True))
    return tuple(
        Overall(claim, *outcome, of, other)
        for claim, outcome, of, other in zip(claims, made, rests, others, strict=True)
    )
