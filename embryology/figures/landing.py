"""The book's front page: what was found in all runs at hand, in five sentences, one figure and one matrix."""

import html
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown

from embryology.analysis import all_runs, orders, published
from embryology.analysis.all_runs import Score
from embryology.analysis.claims import verdicts
from embryology.analysis.claims.claim import Claim
from embryology.analysis.claims.decisions import AGAINST, FEWEST_SEEDS, SUPPORTED, UNDECIDED
from embryology.analysis.claims.verdicts import Overall, Verdict, Verdicts
from embryology.analysis.learning_order import ranks
from embryology.analysis.orders import Order
from embryology.figures import answers, style
from embryology.figures.all_runs import late
from embryology.figures.learning_order import NAMES, PUBLISHED
from embryology.figures.side_by_side import first, ranged
from embryology.runs import measurements
from embryology.runs.series import Series

AGREES, DISAGREES, CANNOT, MISSING = "✓ agrees", "✗ disagrees", "? cannot be told", "– not measured"
OUTCOMES = {SUPPORTED: AGREES, AGAINST: DISAGREES, UNDECIDED: CANNOT}
ELSEWHERE = "not about it"
LEVEL = 0.05


@dataclass(frozen=True)
class Found:
    """What the page tells."""

    series: tuple[Series, ...]
    """The one that is reported on, then all others at hand."""
    orders: list[Order]
    language: list[Score]
    use: list[Score]
    facts: pd.DataFrame
    """Of :func:`embryology.analysis.all_runs.facts_right`."""
    verdicts: Verdicts


def read(series: Sequence[Series], steps: str = "all") -> Found:
    """Of all series.

    Args:
        series: the one that is reported on, then all others at hand.
        steps: which checkpoints of the first, as of :func:`embryology.analysis.tables.read`.
    """
    return Found(
        tuple(series),
        orders.read(series, steps),
        all_runs.read(series, "language", steps),
        all_runs.read(series, "use", steps),
        all_runs.facts_right(series),
        verdicts.read(series, steps),
    )


def answer(found: Found) -> Markdown:
    """The page's question, and its answer in five sentences."""
    sentences = [_words(found.orders), _frequency(found.orders), _language(found), _more_steps(found), _claims(found)]
    listed = "\n".join(f"{number}. {sentence}" for number, sentence in enumerate(sentences, start=1))
    question = "What does a language model learn first while it is pretrained, and does more pretraining teach more?"
    holds = f"{answers.of_several(found.series)}, most of them small. Intervals are over items, not over seeds."
    return Markdown(f"**{question}**\n\n{listed}\n\n*{holds}*")


def _words(found: Sequence[Order]) -> str:
    """Which groups come first, and how alike the order is to the published one."""
    question = "**Which words come first?**"
    told = [order for order in found if order.ranks]
    said = first([order.ranks for order in found])
    if not told:
        return f"{question} {said}"
    alike = [(each.tau, each.p) for order in told if (each := order.published).tau is not None]
    if not alike:
        return f"{question} {said} No order can be held against the published one."
    beyond = sum(float(tau or 0) > 0 and float(p or 0) < LEVEL for tau, p in alike)
    return (
        f"{question} {said} Orders have Kendall's τ of {ranged([float(tau or 0) for tau, _ in alike])} with the "
        f"published order, beyond chance in {beyond} of {len(alike)}."
    )


def _frequency(found: Sequence[Order]) -> str:
    """Whether the order is that of frequency."""
    question = "**Is it just frequency?**"
    told = [
        (each.frequency.tau, each.published.tau)
        for each in found
        if each.ranks and each.frequency and each.frequency.tau is not None and each.published.tau is not None
    ]
    if not told:
        return f"{question} Cannot be told: of no run is it known how often its training text has the words."
    closer = sum(one > other for one, other in told)
    alike = [one for one, _ in told]
    mostly = "By the order alone, largely" if np.median(alike) > 0.5 else "By the order alone, no"
    return (
        f"{question} {mostly}: groups ranked by how often the training text has their words have τ of {ranged(alike)} "
        f"with the runs' own orders; {closer} of {len(told)} runs are closer to that order than to the published one. "
        "What part of speech adds to frequency is tested word by word on the page about words."
    )


def _language(found: Found) -> str:
    question = "**Do its vectors know grammar and meaning?**"
    if not found.language:
        return f"{question} Cannot be told: no run at hand was asked."
    beyond = sum(score.beyond for score in found.language)
    runs = len({score.series for score in found.language})
    return (
        f"{question} {answers.of(beyond, len(found.language))}: {beyond} of {len(found.language)} scores of "
        f"{answers.count(runs, 'run')} end beyond every blind answer. {late(found.language)}."
    )


def _more_steps(found: Found) -> str:
    """Of tasks, and of facts."""
    question = "**Do more steps help with tasks, and with facts?**"
    said = f"Tasks: {_lower(late(found.use))}." if found.use else "Tasks: cannot be told, as no run at hand was asked."
    if found.facts.empty:
        return f"{question} {said} Facts: cannot be told, as no run at hand was asked."
    best = found.facts.loc[found.facts["value"].idxmax()]
    below = int((found.facts["value"] <= found.facts["majority"]).sum())
    return (
        f"{question} {said} Facts that cannot be copied: no run has more than {best['value']:.1%} right "
        f"({best['series']}), and {below} of {len(found.facts)} have no more than the most common answer of each "
        f"relation gives ({best['majority']:.1%} there)."
    )


def _claims(found: Found) -> str:
    outcomes = Counter(each.outcome for each in found.verdicts.overall)
    enough = [name for name, seeds in found.verdicts.recipes.items() if len(seeds) >= FEWEST_SEEDS]
    with_seeds = f"only {style.listed(enough)} {'has' if len(enough) == 1 else 'have'}" if enough else "none has"
    return (
        f"**Does the paper hold?** Of its {len(found.verdicts.overall)} claims these runs support "
        f"{outcomes[SUPPORTED]}, speak against {outcomes[AGAINST]}, and leave {outcomes[UNDECIDED]} undecided. A "
        f"verdict takes {FEWEST_SEEDS} seeds of one recipe, which {with_seeds}, and a number that clears its "
        "rule after correction for all claims."
    )


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def matrix(found: Found) -> HTML:
    """The claims in rows, the paper and each recipe in columns; each cell leads to the claim's section.

    Recipes that read most come first, and the one that is reported on last.
    """
    told = found.verdicts
    by_name = {each.name: each for each in found.series}
    own = found.series[0].name
    columns = sorted(told.recipes, key=lambda name: (own in told.recipes[name], -_tokens(by_name, told.recipes[name])))
    head = "".join(
        f'<th scope="col">{text}</th>'
        for text in ("claim", "the paper", *(_recipe(name, told.recipes[name], own) for name in columns))
    )
    rows = []
    for each in told.overall:
        cells = [_paper(each.claim), *(_cell(each, name, told, by_name) for name in columns)]
        body = "".join(
            f'<td><a href="claims.html#claim-{each.claim.name}">{text}</a>{beside}</td>' for text, beside in cells
        )
        rows.append(f'<tr><th scope="row">{each.claim.number}. {html.escape(each.claim.title)}</th>{body}</tr>')
    return HTML(
        '<div style="overflow-x: auto" tabindex="0" role="region" aria-label="claims by runs">'
        f'<table class="embryology-matrix" border="0"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody>'
        f"</table></div><p>Cells lead to the claim's figure and rule. A verdict takes {FEWEST_SEEDS} seeds of one "
        "recipe measured alike, and is corrected for being one of twelve. † Exploratory: the run may have been "
        f"known when the rule was written; where {FEWEST_SEEDS} others are there it does not count. “Late” claims "
        "need a run whose loss has stopped falling at a constant "
        "rate.</p>"
    )


def _tokens(by_name: dict[str, Series], names: Sequence[str]) -> float:
    return max((by_name[name].checkpoints[-1].tokens or 0 for name in names), default=0)


def _recipe(name: str, names: Sequence[str], own: str) -> str:
    shown = f"{html.escape(name)} (yours)" if own in names else html.escape(name)
    return f"{shown}, {answers.count(len(names), 'seed')}"


def _paper(claim: Claim) -> tuple[str, str]:
    stated = CANNOT if "not seen" in claim.place else "states it"
    return stated, f"<br/><small>{html.escape(claim.place)}</small>"


def _cell(of: Overall, recipe: str, told: Verdicts, by_name: dict[str, Series]) -> tuple[str, str]:
    """What the seeds of a recipe say, and beside it how many they are and the number."""
    verdict = next((each for each in (*of.of, *of.others) if each.recipe == recipe), None)
    if verdict is None:
        return ELSEWHERE, ""
    asked = [name for name in told.recipes[recipe] if measurements.lacking(by_name[name], of.claim.probe) is None]
    if not asked:
        return MISSING, ""
    dagger = " †" if verdict.estimate and verdict.exploratory else ""
    beside = [answers.count(len(verdict.seeds or asked), "seed"), *_number(verdict)]
    return f"{OUTCOMES[verdict.outcome]}{dagger}", f"<br/><small>{html.escape('; '.join(beside))}</small>"


def _number(verdict: Verdict) -> list[str]:
    if verdict.estimate is None:
        return []
    low, high = verdict.estimate.interval
    row = pd.Series({"value": verdict.estimate.mean, "low": low, "high": high})
    return [style.ranged(row, ".2f", verdict.claim.unit or " (τ)")]


@style.styled
def order(found: Found) -> HTML:
    """In which order each run learns the nine groups of words: a row a run, a column a group, in the published order.

    A number is the place of a group; groups that are not told apart share the mean of their places.
    """
    told = [each for each in found.orders if each.ranks]
    if not told:
        return style.paragraph("Not drawn: no group of words has a learning time in the runs at hand.")
    published_ranks = ranks(published.learning_times())
    own = found.series[0].name
    told = sorted(told, key=lambda each: (each.series == own, -np.nan_to_num(each.tokens)))
    placed = {PUBLISHED: _places(published_ranks)} | {each.series: _places(each.ranks) for each in told}
    tags = list(dict.fromkeys([*_flat(published_ranks), *(tag for each in told for tag in _flat(each.ranks))]))
    table = pd.DataFrame(placed, index=tags).T
    figure, (axis,) = style.panels(1, 1, 8.4, 0.36 * len(table) + 1.5)
    axis.imshow(table.to_numpy(float), aspect="auto", cmap="cividis", vmin=1, vmax=max(9, len(tags)))
    for row, column in np.argwhere(table.notna().to_numpy()):
        place = table.iat[row, column]
        light = place > 0.55 * max(9, len(tags))
        axis.text(column, row, f"{place:g}", ha="center", va="center", color=style.INK if light else "white")
    taus = {PUBLISHED: "τ with it"} | {each.series: _tau(each) for each in told}
    axis.set_xticks(range(len(tags)), [f"{NAMES.get(tag, tag)}\n{tag}" for tag in tags], fontsize=8)
    axis.set_yticks(range(len(table)), [f"{name} (yours)" if name == own else name for name in table.index])
    for row, name in enumerate(table.index):
        axis.text(len(tags) - 0.4, row, taus[name], va="center", fontsize=9)
    axis.grid(False)
    axis.set_xlabel("part of speech, in the published order")
    alike = [each.published.tau for each in told if each.published.tau is not None]
    said = (
        f"Kendall's τ with the published order: {ranged(alike)} in {answers.count(len(alike), 'run')}"
        if alike
        else ("No order of these runs can be held against the published one")
    )
    data = (
        table.rename_axis("series")
        .melt(var_name="group", value_name="place", ignore_index=False)
        .reset_index()
        .merge(
            pd.DataFrame([{"series": each.series, "tau": each.published.tau, "p": each.published.p} for each in told]),
            how="left",
        )
    )
    return style.show(
        figure,
        "order-of-words",
        said,
        data,
        "In which order does each run learn words? 1 is first; groups that are not told apart share the mean of their "
        "places; empty: no learning time. Runs that read most stand on top. Learning time: halfway from the best blind "
        "answer to the end.",
        f"Matrix of the places of {len(tags)} parts of speech in the order of learning of {len(told)} runs. {said}.",
    )


def _flat(order: Sequence[Sequence[str]]) -> list[str]:
    return [tag for rank in order for tag in rank]


def _places(order: Sequence[Sequence[str]]) -> dict[str, float]:
    """The mean place of each group, from 1."""
    places: dict[str, float] = {}
    before = 0
    for rank in order:
        places |= dict.fromkeys(rank, before + (len(rank) + 1) / 2)
        before += len(rank)
    return places


def _tau(order: Order) -> str:
    tau = order.published.tau
    return "undefined" if tau is None else f"{tau:.2f}"
