"""The twelve claims: their verdicts as a table, one section each, and what else could make their numbers."""

import html
from collections.abc import Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown

from embryology.analysis.claims.confounds import NATS, PERCENT, POINTS, Confound
from embryology.analysis.claims.decisions import AGAINST, FEWEST_SEEDS, LEVEL, MANY_SEEDS, SUPPORTED, UNDECIDED
from embryology.analysis.claims.verdicts import Overall, Verdict, Verdicts
from embryology.figures import answers, style


def numbers(told: Verdicts) -> dict[str, str]:
    """What the prose of the page says, by name."""
    outcomes = [each.outcome for each in told.overall]
    exploratory = sum(each.is_exploratory for each in told.overall)
    late = [name for name, reason in told.phases.items() if reason is None]
    written = max(each.claim.written for each in told.overall)
    return {
        "supported": _count(outcomes.count(SUPPORTED), "claim"),
        "against": _count(outcomes.count(AGAINST), "claim"),
        "undecided": _count(outcomes.count(UNDECIDED), "claim"),
        "exploratory": f"Numbers of {_count(exploratory, 'claim')} rest on runs that may have been known when "
        f"the rules were written ({written:%d %B %Y, %H:%M} UTC): they are exploratory."
        if exploratory
        else "No number here rests on runs that may have been known when the rules were written.",
        "late": f"{style.listed(late)} {'has' if len(late) == 1 else 'have'} a late phase."
        if late
        else f"None of {_count(len(told.phases), 'series')} has a late phase, so claims about late training are "
        "undecided.",
    }


def answer(told: Verdicts) -> Markdown:
    """How many of the claims these runs bear out."""
    outcomes = [each.outcome for each in told.overall]
    counts = f"Supported: {outcomes.count(SUPPORTED)}. Not supported: {outcomes.count(AGAINST)}. Undecided: "
    values = numbers(told)
    return answers.said(
        "Do these runs bear out what the paper claims?",
        f"{counts}{outcomes.count(UNDECIDED)} of {len(outcomes)}",
        f"{values['exploratory']} {values['late']}",
    )


def table(told: Verdicts) -> HTML:
    """All claims: verdict, the number that decides, and the runs; each links to its section's figure, if it has one."""
    rows = []
    for each in told.overall:
        title = html.escape(f"{each.claim.number}. {each.claim.title}")
        link = f'<a href="#figure-{_name(each)}">figure</a>' if _drawn(each) else ""
        cells = [title, html.escape(_verdict(each)), html.escape(_decisive(each)), html.escape(_runs(each, told)), link]
        rows.append("".join(f"<td>{cell}</td>" for cell in cells))
    head = "".join(
        f"<th>{name}</th>"
        for name in (
            "claim",
            "verdict",
            "decisive number (95% t over seeds)",
            "runs (without a late phase, if none is named)",
            "",
        )
    )
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return HTML(
        '<div style="overflow-x: auto"><table class="embryology-provenance" border="0"><thead>'
        f"<tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def section(told: Verdicts, name: str) -> HTML:
    """One claim: the paper's wording, what it means here, its rule, the verdict as a sentence, and its figure."""
    of = told.of(name)
    claim = of.claim
    conditions = [claim.precondition] if claim.precondition else []
    conditions += ["the run has a late phase"] if claim.late else []
    unit = f"seeds of one recipe, {FEWEST_SEEDS} or more; from {MANY_SEEDS} on, seeds and items"
    said = {
        "in the paper": f"{claim.wording} ({claim.place})",
        "here": claim.meaning,
        "statistic": claim.statistic,
        "unit": unit,
        "margin": claim.margin,
        "rule": f"{claim.rule.words(claim.unit)}{''.join(f'; {each}' for each in conditions)}; p below {LEVEL:g} after "
        "correction for twelve claims; else undecided",
        "cannot be told": claim.limits,
        "rule of": f"{claim.written:%d %B %Y, %H:%M} UTC",
    }
    parts = [str(style.table(pd.DataFrame({"": said.keys(), " ": said.values()})).data)]
    parts += [str(style.paragraph(sentence(of)).data), str(_by_recipe(of).data)]
    parts += [str(_figure(of).data)] if _drawn(of) else []
    return HTML(f'<div id="claim-{claim.name}">{"".join(parts)}</div>')


def sentence(of: Overall) -> str:
    """The verdict over all recipes, and why it is that."""
    return f"{_verdict(of).capitalize()}{_because(of)}."


def _by_recipe(of: Overall) -> HTML:
    """What each recipe says by itself, and why some do not."""
    rows = [
        {
            "recipe": each.recipe,
            "number": _number(each) or "none",
            "by itself": each.outcome,
            "why, and what of": "; ".join(filter(None, [*each.reasons, each.remark])),
            "exploratory": "; ".join(each.exploratory) if each.estimate else "",
        }
        for each in (*of.of, *of.others)
    ]
    return style.table(pd.DataFrame(rows)) if rows else HTML("")


def confounds(found: Sequence[Confound]) -> HTML:
    """What else could make the numbers, a row each: how large it is, or that it was not measured."""
    rows = [
        {
            "confound": each.name,
            "what is told": each.number,
            "effect (95% interval)": _effect(each),
            "of": each.effect.of if each.effect else "",
        }
        for each in found
    ]
    return style.table(pd.DataFrame(rows))


def _effect(confound: Confound) -> str:
    if confound.effect is None:
        return confound.why_not
    row = pd.Series({name: getattr(confound.effect, name) for name in ("value", "low", "high")})
    form = {POINTS: "+.2f", PERCENT: ".1f", NATS: "+.4f"}[confound.effect.unit]
    told = style.ranged(row, form, confound.effect.unit)
    return told if np.isfinite(confound.effect.low) else f"{told}, too few items for an interval"


def _because(of: Overall) -> str:
    """Behind the verdict over all, why it is that."""
    claim, corrected = of.claim, "corrected for twelve claims"
    if not of.of and not of.others:
        return f": no run at hand is of {style.listed(claim.families)}"
    if not of.of:
        return ": no recipe at hand has a number for it"
    named = style.listed([f"{each.recipe} has {_number(each)}" for each in of.of])
    if of.outcome == SUPPORTED:
        return f": {named} ({_p(of.supports)}, {corrected})"
    if of.outcome == AGAINST:
        return f": {named} ({_p(of.opposes)} that the claim holds, {corrected})"
    return f": {named}, which leaves it open ({_p(of.supports)} for it, {_p(of.opposes)} against, {corrected})"


def _verdict(of: Overall) -> str:
    return f"{of.outcome} (exploratory)" if of.is_exploratory else of.outcome


def _decisive(of: Overall) -> str:
    """The number of each recipe; without any the reason of the one that had most seeds to tell by."""
    if of.of:
        return "; ".join(f"{each.recipe}: {_number(each)}" for each in of.of)
    if not of.others:
        return f"none: no run of {style.listed(of.claim.families)}"
    nearest = max(of.others, key=lambda each: len(each.seeds))
    return f"none; {nearest.recipe}: {'; '.join(nearest.reasons)}"


def _runs(of: Overall, told: Verdicts) -> str:
    shown = []
    for each in of.of or of.others:
        names = each.seeds or told.recipes[each.recipe]
        shown.append(f"{each.recipe}, {_count(len(names), 'seed')}{', late phase' if _late(each, told) else ''}")
    return "; ".join(shown)


def _late(verdict: Verdict, told: Verdicts) -> bool:
    """Whether all seeds behind a verdict have a late phase, or all there are where none is."""
    return all(told.phases[name] is None for name in verdict.seeds or told.recipes[verdict.recipe])


def _number(verdict: Verdict) -> str:
    found = verdict.estimate
    if found is None:
        return ""
    low, high = found.interval
    return style.ranged(pd.Series({"value": found.mean, "low": low, "high": high}), ".2f", verdict.claim.unit)


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _count(count: int, what: str) -> str:
    plural = what if count == 1 or what.endswith("s") else f"{what}s"
    return f"{count} {plural}"


def _name(of: Overall) -> str:
    return f"claim-{of.claim.name}"


def _drawn(of: Overall) -> bool:
    return any(each.estimate for each in (*of.of, *of.others))


@style.styled
def _figure(of: Overall) -> HTML:
    """The number of every seed and its mean, a row a recipe, beside the rule's lines."""
    claim = of.claim
    shown = [each for each in (*of.of, *of.others) if each.estimate]
    rows = np.arange(len(shown))[::-1]
    figure, (axis,) = style.panels(1, 1, 7.5, 0.45 * len(shown) + 1.6)
    for line in claim.rule.lines:
        axis.axvline(line, color=style.INK, linestyle=style.DASHED, linewidth=1.3, label="rule")
    axis.axvline(0, color=style.MUTED, linestyle=style.DOTTED, linewidth=1.3, label="none")
    colour, mark, _ = style.LINES[0]
    data = []
    for row, each in zip(rows, shown, strict=True):
        low, high = each.estimate.interval  # type: ignore[union-attr]
        mean = each.estimate.mean  # type: ignore[union-attr]
        axis.hlines(row, low, high, color=colour, linewidth=5, alpha=0.3, label="95% t interval over seeds")
        axis.plot([mean], [row], color=colour, marker="|", markersize=14, linestyle="", label="mean")
        axis.plot(each.values, [row] * len(each.values), color=colour, marker=mark, linestyle="", label="seed")
        for name, value in zip(each.seeds, each.values, strict=True):
            data.append((each.recipe, name, value, mean, low, high))
    axis.set_yticks(rows, [each.recipe for each in shown])
    axis.set_ylim(-0.6, len(shown) - 0.4)
    axis.set_xlabel({"": "Kendall's tau"}.get(claim.unit, claim.unit.strip()))
    style.legend(figure, [axis], 3)
    answer = f"{claim.title}: {_verdict(of)}"
    return style.show(
        figure,
        _name(of),
        answer,
        pd.DataFrame(data, columns=["recipe", "series", "value", "mean", "low", "high"]),
        f"Claim {claim.number}. {claim.statistic[0].upper()}{claim.statistic[1:]}. Marks: seeds. Bars: 95% t interval "
        "of their mean, over seeds and on these items, not corrected. Dashed: the rule, "
        f"{claim.rule.words(claim.unit)}. Dotted: no effect.",
        f"Dot chart of {_count(len(shown), 'recipe')}, a mark a seed, beside the rule's lines. {answer}. "
        f"{style.listed([f'{each.recipe}: {_number(each)}' for each in shown])}.",
    )
