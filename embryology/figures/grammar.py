"""Grammar over pretraining: minimal pairs by phenomenon, beside frequency, length and chance."""

import textwrap
from collections.abc import Callable

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown

from embryology.analysis import grammar, tables
from embryology.analysis.grammar import AGAINST, ALL, CHANCE, WITH, Curves
from embryology.analysis.learning_order import BEFORE_FIRST, NEVER_BEYOND, REACHED, UNTOLD, in_order, ranks
from embryology.analysis.suddenness import verdict
from embryology.figures import answers, many_runs, style
from embryology.figures.learning_order import doublings, in_words, mark
from embryology.intervals import RESAMPLES, SEED
from embryology.runs.series import Series
from embryology.specs import grammar as words
from embryology.specs.grammar import ACCURACY, SPECIFICATION

LABELS = SPECIFICATION.baselines
SHOWN = (words.SHORTER, words.UNIGRAM, *(name for name in LABELS if name == "untrained"))
"""Baselines that panels draw beside chance."""
WAYS = {
    ACCURACY: "whole sentence",
    words.CORRECTED: "whole sentence, words left to right",
    words.CRITICAL: "critical word alone",
}


def numbers(
    frame: pd.DataFrame, told: Curves, times: pd.DataFrame, source: str, lag: pd.Series | None
) -> dict[str, str]:
    """What the prose of the page says of the first set of the first series, by name.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
        told: of :func:`embryology.analysis.grammar.curves`.
        times: of :func:`embryology.analysis.grammar.learning_times` of it.
        source: what was asked, in words.
        lag: of :func:`embryology.analysis.grammar.lag`.
    """
    name = grammar.sets(frame)[0]
    final = grammar.curve(frame, name).iloc[-1]
    return {
        "source": source,
        "n": f"{int(final['n']):,}",
        "last": f"{int(final['step']):,}",
        "over": tables.units(frame, "pair"),
        "excluded": _excluded(frame, name),
        "corrected": _percent(_last(frame, name, words.CORRECTED)),
        "critical": _percent(_last(frame, name, words.CRITICAL)),
        "ties": f"{int(_last(frame, name, words.TIES)['value']):,}",
        "shorter": _percent(_last(frame, name, baseline=words.SHORTER)),
        "unigram": _percent(_last(frame, name, baseline=words.UNIGRAM)),
        "no_text": ""
        if WITH in told.groups
        else " The text that this series was trained on is not at hand, so that there is no baseline of frequency.",
        "order": _order(told, times),
        "suddenly": suddenly(told, times),
        "frequency": frequency(told, times, lag),
        "whole": _whole(frame, name),
    }


def answer(series: Series, frame: pd.DataFrame, told: Curves, times: pd.DataFrame) -> Markdown:
    """Whether it prefers grammatical sentences; arguments as of :func:`numbers`."""
    name = grammar.sets(frame)[0]
    of_all = times.loc[ALL]
    only_frequency = AGAINST in times.index and times.loc[AGAINST, "state"] == NEVER_BEYOND
    verdict = answers.UNTOLD if of_all["state"] == UNTOLD else answers.YES if of_all["learnt"] else answers.NO
    verdict = answers.PARTLY if verdict == answers.YES and only_frequency else verdict
    against = "; of pairs that frequency gets wrong no more than by chance" if only_frequency else ""
    return answers.said(
        "Does it prefer grammatical sentences?",
        f"{verdict}: at the end the grammatical one is the likelier in {_percent(_last(frame, name))} of pairs"
        f"{_blind(frame, name)}{against}. {_learnt(told, times)}",
        answers.of_one(series, tables.units(frame, "pair")),
    )


def _last(frame: pd.DataFrame, task: str, metric: str = ACCURACY, baseline: str | None = None) -> pd.Series:
    rows = grammar.curve(frame, task, metric=metric, baseline=baseline)
    return rows.iloc[-1] if len(rows) else pd.Series(np.nan, rows.columns)


def _blind(frame: pd.DataFrame, name: str) -> str:
    """The best of the answers that know no grammar, as a clause."""
    rows = {each: _last(frame, name, baseline=each) for each in SHOWN}
    rows[words.CHANCE] = pd.Series({"value": CHANCE, "low": np.nan, "high": np.nan})
    best = max(rows, key=lambda each: float(rows[each].fillna(0)["value"]))
    return f", by the best blind answer ({LABELS[best]}) in {_percent(rows[best])}"


def _percent(row: pd.Series) -> str:
    if not np.isfinite(row["value"]):
        return "not measured"
    return style.ranged(row.astype(float), ".1f", "%", 100)


def _excluded(frame: pd.DataFrame, name: str) -> str:
    last = frame["step"] == frame.loc[frame["series"] == tables.main_series(frame), "step"].max()
    rows = frame[last & (frame["task"] == name) & (frame["metric"] == words.EXCLUDED)]
    by_reason = rows[rows["series"] == tables.main_series(frame)].groupby("reason")["value"].sum()
    if by_reason.empty:
        return "No pair had to be left out."
    return f"Left out: {style.listed([f'{int(count):,} ({reason})' for reason, count in by_reason.items()])}."


def _learnt(told: Curves, times: pd.DataFrame) -> str:
    own = times.loc[grammar.phenomena(told.groups)]
    known = own[own["state"] != UNTOLD]
    if known.empty:
        return f"What was learnt cannot be told: {told.untellable or 'there are too few pairs'}."
    learnt = [grammar.label(str(group)) for group in known.index[known["learnt"]]]
    return (
        f"Of {len(known)} phenomena {len(learnt)} end beyond every blind answer"
        f"{f' ({style.listed(learnt)})' if 0 < len(learnt) < len(known) else ''}."
    )


def _order(told: Curves, times: pd.DataFrame) -> str:
    names = {group: grammar.label(group) for group in grammar.phenomena(told.groups)}
    order = ranks(times.loc[list(names)])
    if not order:
        return "No phenomenon has a learning time, so that there is no order."
    if len(order) == 1 == len(order[0]):
        return f"One of {len(names)} phenomena has a learning time: {names[order[0][0]]}."
    return f"In order of their learning times: {in_words([[names[tag] for tag in rank] for rank in order])}."


def suddenly(told: Curves, times: pd.DataFrame) -> str:
    """Whether all pairs together are learnt suddenly, beside what frequency gives, in sentences."""
    of_all = times.loc[ALL]
    if np.isnan(of_all["most"]):
        why = told.untellable or (
            "they do not end beyond every blind answer"
            if of_all["state"] == NEVER_BEYOND
            else "there are too few pairs or steps"
        )
        return f"Whether grammar comes suddenly cannot be told of all pairs together: {why}."
    how = f"from a quarter to three quarters of its way accuracy takes {doublings(of_all)}"
    said = {
        "sudden": f"Grammar comes suddenly: {how}.",
        "gradual": f"Grammar does not come suddenly: {how}.",
        None: f"Whether grammar comes suddenly cannot be told: {how}, and one doubling or less would be sudden.",
    }[verdict(of_all)]
    kinds = {WITH: "pairs that frequency gets right take", AGAINST: "those that it gets wrong"}
    taken = [f"{what} {doublings(times.loc[one])}" for one, what in kinds.items() if one in times.index]
    known = len(taken) == 2 and times.loc[list(kinds), "most"].notna().all()
    return f"{said} By the same measure {' and '.join(taken)}." if known else said


def frequency(told: Curves, times: pd.DataFrame, lag: pd.Series | None) -> str:
    """Whether grammar comes after what frequency gives, as a sentence."""
    if not {WITH, AGAINST} <= set(times.index):
        why = "frequency decides no pairs, or all alike" if WITH in told.groups else "its training text is not at hand"
        return f"Whether grammar comes before or after what frequency alone gives cannot be told of this series: {why}."
    against = times.loc[AGAINST]
    if lag is None:
        if against["state"] == NEVER_BEYOND:
            return (
                "Nothing beyond frequency is shown: pairs whose grammatical sentence has the less frequent pieces do "
                f"not end beyond chance ({100 * against['final']:.1f}% right)."
            )
        why = told.untellable or "pairs of one of the two kinds have no learning time"
        return f"Whether grammar comes before or after what frequency alone gives cannot be told: {why}."
    steps = [f"step {style.stepped(times.loc[group])}" for group in (WITH, AGAINST) if times.loc[group, "step"] > 0]
    at = f" ({' and '.join(steps)})" if len(steps) == 2 else ""
    how = f"pairs that frequency gets wrong come {doublings(lag)} later than those that it gets right{at}"
    if lag["fewest"] > 0:
        return f"Grammar comes after what frequency alone gives: {how}."
    if lag["most"] < 0:
        return f"Grammar comes before what frequency alone gives: {how}."
    return f"Whether grammar comes before or after what frequency alone gives cannot be told: {how}."


def _whole(frame: pd.DataFrame, name: str) -> str:
    row = _last(frame, f"{name}/{words.WHOLE}")
    if not np.isfinite(row["value"]):
        return "All pairs of the set were asked at every checkpoint, or a sample of them alone."
    return f"Asked all {int(row['n']):,} pairs at the last checkpoint, the model is right of {_percent(row)}."


@style.styled
def accuracy(frame: pd.DataFrame, told: Curves, times: pd.DataFrame, source: str) -> HTML:
    """Accuracy over training, a panel a phenomenon and one for all pairs, with every baseline.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
        told: of :func:`embryology.analysis.grammar.curves`.
        times: of :func:`embryology.analysis.grammar.learning_times` of it.
        source: what was asked, in words.
    """
    name = grammar.sets(frame)[0]
    shown = [ALL, *grammar.phenomena(told.groups)]
    figure, axes = style.grid(len(shown), 3, 2.3)
    x, x_label = style.training_x(frame)
    drawn = []
    for axis, group in zip(axes, shown, strict=True):
        of_series = [
            grammar.curve(frame, name, group, series=each).assign(series=each) for each in frame["series"].unique()
        ]
        rows = pd.concat(of_series, ignore_index=True)
        many_runs.curves(axis, rows, x)
        drawn.append(rows.assign(group=grammar.label(group), baseline=None))
        style.level(axis, CHANCE, words.CHANCE, LABELS[words.CHANCE])
        level = {"group": [grammar.label(group)], "baseline": words.CHANCE, "value": CHANCE}
        drawn.append(pd.DataFrame(level))
        for baseline in SHOWN:
            rows = grammar.curve(frame, name, group, baseline=baseline)
            style.baseline(axis, rows, baseline, LABELS[baseline], x)
            series = tables.main_series(frame)
            drawn.append(rows.assign(series=series, group=grammar.label(group), baseline=baseline))
        n = int(grammar.curve(frame, name, group)["n"].iloc[-1])
        size = f"· n = {n:,}".replace(" ", "\N{NO-BREAK SPACE}")
        axis.set(title=textwrap.fill(f"{grammar.label(group)} {size}", 30), ylabel="accuracy", ylim=(-0.02, 1.02))
        style.training_axis(axis, frame[x], x_label)
    style.legend(figure, axes, 3)
    answer = f"The grammatical sentence is the likelier one in {_percent(_last(frame, name))} of pairs at the end"
    return style.show(
        figure,
        "grammar",
        answer,
        pd.concat(drawn, ignore_index=True),
        "Does the model prefer grammatical sentences? Share of minimal pairs whose grammatical sentence has the "
        f"larger pseudo-log-likelihood, by phenomenon. Pairs: {source}. Bands: 95% intervals over "
        f"{tables.units(frame, 'pair')}. Baselines: chance, the sentence of fewer pieces, the sentence whose pieces "
        "are more frequent in the training text (where that is at hand), and the untrained model.",
        f"{style.plural(len(shown), 'line chart')} of accuracy"
        f" over training, for {style.listed([grammar.label(g) for g in shown])}. "
        f"{answer}. {_learnt(told, times)}",
    )


@style.styled
def against_frequency(frame: pd.DataFrame, told: Curves, answer: str) -> HTML:
    """Pairs that frequency gets right beside those that it gets wrong, and three ways of scoring.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
        told: of :func:`embryology.analysis.grammar.curves`.
        answer: of :func:`frequency`.
    """
    name = grammar.sets(frame)[0]
    figure, (left, right) = style.panels(1, 2, 9, 4.2, sharey=True)
    drawn = []
    low, high = np.nanpercentile(told.values[1:], [2.5, 97.5], axis=0)
    for group, line in zip((WITH, AGAINST), style.LINES, strict=False):
        if group in told.groups:
            at = told.groups.index(group)
            rows = pd.DataFrame(
                {"step": told.steps, "value": told.values[0, at], "low": low[at], "high": high[at], "n": told.pairs[at]}
            )
            style.curve(left, rows, line, f"{group}, n = {told.pairs[at]:,}")
            drawn.append(rows.assign(curve=group))
    if not drawn:
        left.text(0.5, 0.3, "no training text at hand", transform=left.transAxes, ha="center", color=style.ALERT)
    for number, (metric, called) in enumerate(WAYS.items(), start=2):
        rows = grammar.curve(frame, name, metric=metric)
        if len(rows):
            style.curve(right, rows, style.LINES[number], called)
            drawn.append(rows.assign(curve=called))
    for axis, title in ((left, "by what frequency prefers"), (right, "by how sentences are scored")):
        style.level(axis, CHANCE, words.CHANCE, LABELS[words.CHANCE])
        axis.set(title=title, ylim=(-0.02, 1.02))
        style.training_axis(axis, told.steps, "training step")
    left.set_ylabel("accuracy")
    style.legend(figure, (left, right), 3)
    return style.show(
        figure,
        "grammar-frequency",
        answer,
        pd.concat([*drawn, pd.DataFrame({"curve": ["chance"], "value": CHANCE})], ignore_index=True)[
            ["curve", "step", "value", "low", "high", "n"]
        ],
        "Is it more than frequency? Left: pairs of which frequency in the training text prefers the grammatical "
        f"sentence, and the other pairs. Right: three scores of all pairs. Bands: 95% over "
        f"{tables.units(frame, 'pair')}. Dotted: chance. Frequency prefers the sentence with the larger sum of log "
        "frequencies of its pieces; one that knows it alone gets all of the first pairs and none of the second. Scored "
        "is the whole sentence, the whole sentence with words scored left to right, and the critical word where there "
        f"is one. Left the band is a percentile bootstrap ({RESAMPLES:,} resamples, seed {SEED}).",
        f"Two line charts of accuracy over training. {answer}",
    )


@style.styled
def learning_times(frame: pd.DataFrame, told: Curves, times: pd.DataFrame) -> HTML:
    """When each phenomenon is learnt, with its interval; a sentence where none is.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
        told: of :func:`embryology.analysis.grammar.curves`.
        times: of :func:`embryology.analysis.grammar.learning_times` of it.
    """
    own = times.loc[grammar.phenomena(told.groups)]
    series = tables.main_series(frame)
    if not own["state"].isin([REACHED, BEFORE_FIRST]).any():
        return style.paragraph(f"Learning times are not drawn for {series}. {_learnt(told, times)}")
    shown = [*(group for group in (WITH, AGAINST, ALL) if group in times.index), *in_order(own)]
    figure, (axis,) = style.panels(1, 1, 8, 1.6 + 0.36 * len(shown))
    rows = {group: place for place, group in enumerate(shown)}
    mark(axis, times.loc[shown], rows, 0, style.LINES[0], series, told.steps)
    style.training_axis(axis, told.steps, "training step, halfway above blind answers")
    style.room(axis, told.steps[-1])
    axis.set_yticks(range(len(shown)), [grammar.label(group) for group in shown])
    axis.set_ylim(len(shown) - 0.5, -0.5)
    answer = _order(told, times)
    return style.show(
        figure,
        "grammar-order",
        answer,
        times.loc[shown].drop(columns="resampled").reset_index(names="group"),
        "In which order are phenomena learnt? Step at which accuracy is halfway from the best blind answer to its "
        f"final value. Bars: 95% bootstrap over {tables.units(frame, 'pair')} and checkpoints, out to the checkpoints "
        "around. Blind answers are chance, the sentence of fewer pieces, that of more frequent pieces, the untrained "
        "model, of pairs by what frequency prefers chance alone; the final value is the mean of the last three "
        f"checkpoints; where the best rising fit crosses, percentiles of {RESAMPLES:,} resamples, seed {SEED}.",
        f"Dot plot of learning times of {style.listed([grammar.label(group) for group in shown])}. {answer}",
    )


def others(frame: pd.DataFrame) -> HTML:
    """The last checkpoint beside what is published of other models and people, or why it is not."""
    table = grammar.beside_others(frame)
    if table.empty:
        return style.paragraph(
            "Not compared: other models' and people's scores are published by paradigm of BLiMP, and here not all of "
            "its pairs were asked."
        )
    percent: Callable[[float], str] = "{:.1f}%".format
    return style.table(
        pd.DataFrame(
            {
                "who": table.index,
                "paradigms": table["paradigms"],
                "right": (100 * table["theirs"]).map(percent),
                "this model, the same paradigms": (100 * table["ours"]).map(percent),
                "Spearman's ρ over paradigms": table["rho"].map("{:.2f}".format),
                "p": table["p"].map("{:.2g}".format),
            }
        )
    )
