"""Which facts a model knows over pretraining, relation by relation (section 6 of the paper)."""

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown
from matplotlib.axes import Axes

from embryology.analysis import knowledge, tables
from embryology.figures import answers, many_runs, style
from embryology.runs.series import Series
from embryology.specs import UNITS
from embryology.specs import knowledge as words
from embryology.specs.knowledge import ACCURACY, GAIN, LOG_PROBABILITY, MAJORITY, SPECIFICATION, TEMPLATE

LABELS = SPECIFICATION.baselines
OVER = f"{UNITS[SPECIFICATION.resampled[0]]}, none where they are too few"


def numbers(frame: pd.DataFrame, source: str, told: pd.DataFrame) -> dict[str, str]:
    """What the prose of the page says of the first set of the first series, by name.

    Args:
        frame: of :func:`embryology.analysis.over_objects.read`.
        source: of :func:`embryology.analysis.knowledge.source`.
        told: of :func:`embryology.analysis.knowledge.by_relation`.
    """
    name, *others = knowledge.sets(frame)
    end, majority = _last(frame, name), _last(frame, name, baseline=MAJORITY)
    unnamed = f"{name}/{words.NOT_NAMED}"
    values = {
        "source": source,
        "others": f"; beside it were measured: {style.listed([knowledge.set_label(other) for other in others])}"
        if others
        else "",
        "last": f"{knowledge.curve(frame, name)['step'].iloc[-1]:,}",
        "n": f"{int(end['n']):,}",
        "accuracy": with_interval(end),
        "majority": percent(majority["value"]),
        "template": percent(_last(frame, name, baseline=TEMPLATE)["value"]),
        "copy": percent(_last(frame, name, baseline=words.COPY)["value"]),
        "known": with_interval(_last(frame, name, words.KNOWN)),
        "not_named": with_interval(_last(frame, unnamed)),
        "majority_not_named": percent(_last(frame, unnamed, baseline=MAJORITY)["value"]),
        "known_not_named": with_interval(_last(frame, unnamed, words.KNOWN)),
        "beyond": "lies above all of them" if knowledge.above_blind(frame, name) else "does not lie above all of them",
        "relations_beyond": above_all(told),
        "relations_change": _changes(told),
        "at_10": with_interval(_last(frame, name, words.AT_10)),
        "candidates": with_interval(_last(frame, name, words.OF_CANDIDATES)),
        "gain": _nats(_last(frame, name, GAIN)),
        "gain_not_named": _nats(_last(frame, unnamed, GAIN)),
    }
    held_out = knowledge.curve(frame, f"{name}/{words.HELD_OUT}", metric=GAIN)
    values["held_out"] = (
        f"{_nats(held_out.iloc[-1])} for {int(held_out['n'].iloc[-1]):,} facts whose article was held out, and "
        f"{_nats(_last(frame, f'{name}/{words.NOT_HELD_OUT}', GAIN))} for the others"
        if len(held_out)
        else "not told, as which articles the model read is not known, or in which a fact stands"
    )
    return values


def answer(series: Series, frame: pd.DataFrame, told: pd.DataFrame) -> Markdown:
    """Whether it knows facts, and whether more steps give more; arguments as of :func:`numbers`."""
    name = f"{knowledge.sets(frame)[0]}/{words.NOT_NAMED}"
    right, common = _last(frame, name), _last(frame, name, baseline=MAJORITY)
    shown = np.isfinite([right["low"], common["value"]]).all()
    top = common["high"] if np.isfinite(common["high"]) else common["value"]
    verdict = answers.UNTOLD if not shown else answers.YES if right["low"] > top else f"{answers.NO}, it is not shown"
    return answers.said(
        "Does it know facts, and do more steps give more of them?",
        f"{verdict}: of facts that cannot be copied {with_interval(right)} are right at the end, where the most common "
        f"object of each relation gives {percent(common['value'])}. From half of the steps on, {_changes(told)}",
        answers.of_one(series, OVER),
    )


def _last(frame: pd.DataFrame, task: str, metric: str = ACCURACY, baseline: str | None = None) -> pd.Series:
    """At the last checkpoint; nan where there is none, as sentences of their own have no template without a subject."""
    rows = knowledge.curve(frame, task, metric=metric, baseline=baseline)
    return rows.iloc[-1] if len(rows) else pd.Series(np.nan, rows.columns)


def percent(value: float) -> str:
    """A share in prose."""
    return f"{100 * value:.1f}%" if np.isfinite(value) else "not measured"


def with_interval(row: pd.Series) -> str:
    """A share in prose, with its interval where it has one."""
    return style.ranged(row, ".1f", "%", 100) if np.isfinite(row["low"]) else percent(row["value"])


def _nats(row: pd.Series) -> str:
    if not np.isfinite(row["value"]):
        return "not measured"
    return style.ranged(row, ".2f", " nats")


def above_all(told: pd.DataFrame) -> str:
    """Which relations clear every blind answer, as a sentence; of :func:`embryology.analysis.knowledge.by_relation`."""
    n, few = int(told["told"].sum()), int((~told["told"]).sum())
    above = [knowledge.label(str(relation)) for relation in told.index[told["above"]]]
    left_out = f"; {few} have too few objects to tell" if few else ""
    if not above:
        return f"Of {n} relations none clears them{left_out}."
    by_chance = f"by chance alone {0.025 * n:.1f} would"
    verb = "clears" if len(above) == 1 else "clear"
    return f"Of {n} relations {len(above)} {verb} them, {by_chance}{left_out}: {style.listed(above)}."


def _changes(told: pd.DataFrame) -> str:
    rises, falls = (told.index[told[column]].map(knowledge.label).tolist() for column in ("rises", "falls"))
    if not rises + falls:
        return f"none of {len(told)} relations rises or falls"
    changes = [f"{verb} {style.listed(names)}" for verb, names in (("rise", rises), ("fall", falls)) if names]
    by_chance = f"by chance alone {0.05 * len(told):.1f} would"
    return f"of {len(told)} relations there {' and there '.join(changes)}, and {by_chance}"


def baselines(
    axis: Axes, frame: pd.DataFrame, task: str, relation: str, metric: str, x: str = "step"
) -> list[pd.DataFrame]:
    """Draw all baselines of a metric that were measured, and give their rows; ``relation`` is empty for all of them."""
    drawn = []
    for name, label in LABELS.items():
        rows = knowledge.curve(frame, task, relation, metric, name)
        style.baseline(axis, rows, name, label, x)
        drawn.append(rows.assign(series=tables.main_series(frame), relation=relation or "all", baseline=name))
    return drawn


@style.styled
def scores(frame: pd.DataFrame, source: str, told: pd.DataFrame) -> HTML:
    """The paper's figure: precision at 1 over training, a panel a relation, and one for all of them.

    Args:
        frame: of :func:`embryology.analysis.over_objects.read`.
        source: of :func:`embryology.analysis.knowledge.source`.
        told: of :func:`embryology.analysis.knowledge.by_relation`.
    """
    name = knowledge.sets(frame)[0]
    relations = knowledge.relations(frame, name)
    shown = ["", *relations[: knowledge.SHOWN]]
    figure, axes = style.grid(len(shown), 2, 2.3)
    x, x_label = style.training_x(frame)
    drawn = []
    for axis, relation in zip(axes, shown, strict=True):
        of_series = [
            knowledge.curve(frame, name, relation, series=each).assign(series=each) for each in frame["series"].unique()
        ]
        rows = pd.concat(of_series, ignore_index=True)
        many_runs.curves(axis, rows, x)
        drawn.append(rows.assign(relation=relation or "all"))
        drawn += baselines(axis, frame, name, relation, ACCURACY, x)
        n = int(knowledge.curve(frame, name, relation)["n"].iloc[-1])
        axis.set(
            title=f"{knowledge.label(relation) if relation else 'all relations'} · n = {n:,}", ylabel="precision at 1"
        )
        axis.set_ylim(bottom=0)
        style.training_axis(axis, frame[x], x_label)
    style.legend(figure, axes, 2)
    end, majority = _last(frame, name), _last(frame, name, baseline=MAJORITY)
    unnamed = _last(frame, f"{name}/{words.NOT_NAMED}")
    answer = (
        f"At the end {with_interval(end)} of facts are right, the most common objects give "
        f"{percent(majority['value'])}; {with_interval(unnamed)} where the object does not stand in the subject's "
        f"name. Of the relations, without such names, {int(told['above'].sum())} clear all blind answers"
    )
    return style.show(
        figure,
        "knowledge",
        answer,
        pd.concat(drawn, ignore_index=True)[
            ["series", "relation", "baseline", "step", "tokens", "value", "low", "high", "n"]
        ],
        f"Which facts does the model know? The object of a fact is masked in the relation's template, and counts as "
        f"right where it is the most likely of all pieces. Facts: {source}, objects of one piece, "
        f"{len(relations)} relations of which {len(shown) - 1} are drawn. Bands: 95% intervals over {OVER}. "
        f"Baselines: the relation's most common object, the template without a subject, the untrained model, and a "
        f"model that copies an object that stands in the subject's name.",
        f"{style.plural(len(shown), 'line chart')} of precision"
        f" at 1 over training, one for all relations and one for each of "
        f"{style.listed([knowledge.label(relation) for relation in shown[1:]])}. {answer}.",
    )


PARTS = {
    "all facts": "",
    "object not in the subject's name": f"/{words.NOT_NAMED}",
    "article held out": f"/{words.HELD_OUT}",
}
MEASURES = {
    words.AT_10: ("precision at 10, all pieces", "share of facts"),
    words.OF_CANDIDATES: ("precision at 1, the relation's objects", "share of facts"),
    words.RECIPROCAL_RANK: ("mean reciprocal rank, all pieces", "1 / rank"),
    GAIN: ("likelier with the fact's own subject", "nats"),
}


@style.styled
def measures(frame: pd.DataFrame, source: str) -> HTML:
    """What precision at 1 does not see: ranks, the relation's own objects, the part of the subject."""
    name = knowledge.sets(frame)[0]
    figure, axes = style.panels(3, 2, 9, 8)
    drawn = []
    for axis, (metric, (title, unit)) in zip(axes, MEASURES.items(), strict=False):
        for (part, task), line in zip(PARTS.items(), style.LINES, strict=False):
            rows = knowledge.curve(frame, name + task, metric=metric)
            if len(rows):
                style.curve(axis, rows, line, part)
                drawn.append(rows.assign(facts=part, metric=metric))
        drawn += [rows.assign(facts="all facts", metric=metric) for rows in baselines(axis, frame, name, "", metric)]
        axis.set(title=title, ylabel=unit)
    majority = knowledge.curve(frame, name, baseline=MAJORITY)
    style.baseline(axes[1], majority, MAJORITY, LABELS[MAJORITY])
    drawn.append(majority.assign(facts="all facts", metric=words.OF_CANDIDATES, baseline=MAJORITY))
    axes[3].axhline(0, color=style.INK, linewidth=1, linestyle=style.DASHED, label="subjects make no difference")
    pieces = {"objects of one piece": (name, 0), "objects of several pieces": (f"{name}/{words.SEVERAL_PIECES}", 4)}
    for axis, (part, (task, number)) in zip(axes[4:], pieces.items(), strict=True):
        rows = knowledge.curve(frame, task, metric=LOG_PROBABILITY)
        if len(rows):
            style.curve(axis, rows, style.LINES[number], part)
            drawn.append(rows.assign(facts=part, metric=LOG_PROBABILITY))
            beside = baselines(axis, frame, task, "", LOG_PROBABILITY)
            drawn += [rows.assign(facts=part, metric=LOG_PROBABILITY) for rows in beside]
        axis.set(title=f"log-probability, {part}", ylabel="nats")
    for axis in axes:
        style.training_axis(axis, frame["step"], "training step")
    style.legend(figure, axes, 2)
    gain, rank = _nats(_last(frame, name, GAIN)), _last(frame, name, words.RECIPROCAL_RANK)["value"]
    answer = (
        f"Objects are {gain} likelier with their own subject than with others; right among the relation's objects: "
        f"{with_interval(_last(frame, name, words.OF_CANDIDATES))}"
    )
    return style.show(
        figure,
        "knowledge-measures",
        answer,
        pd.concat(drawn, ignore_index=True)[["facts", "metric", "baseline", "step", "value", "low", "high", "n"]],
        f"Does the model know more than its first answer tells? The same questions, scored in five other ways. "
        f"Scored is whether the object is among the ten most likely pieces, whether it is the most likely of the "
        "relation's own objects, the reciprocal of its rank, how much likelier it is with the fact's own subject than "
        "with subjects that have other objects, and its log-probability, which objects of several pieces have too "
        f"(left to right, each piece given those before it). Questions: {source}. Bands: 95% intervals over {OVER}. "
        "Baselines: the relation's most common object, the untrained model, and no difference between subjects.",
        f"Six line charts over training steps: precision at 10, precision among candidates, reciprocal rank, gain by "
        f"the subject, log-probabilities. {answer}; the mean reciprocal rank is {rank:.3f}.",
    )


@style.styled
def beside_published(frame: pd.DataFrame) -> HTML:
    """The released curves of BERT beside this run's; those that are not zero where none is of the same relation."""
    published, name = knowledge.published(), knowledge.sets(frame)[0]
    zero = published.index[(published == 0).all(axis=1)]
    common = [relation for relation in published.index if relation in set(knowledge.relations(frame, name))]
    relations = common or list(published.index.difference(zero))
    figure, axes = style.grid(len(relations), min(5, len(relations)), 1.75, width=9.5, margin=0.9, sharex=True)
    drawn = []
    for axis, relation in zip(axes, relations, strict=True):
        line = published.loc[relation]
        colour, marker, dashes = style.LINES[1]
        small = {"color": colour, "marker": marker, "markersize": 2.5, "linestyle": dashes}
        axis.plot(line.index / line.index.max(), line, **small, label="published BERT")
        rows = knowledge.curve(frame, name, relation)
        if len(rows):
            ours = rows.assign(share=rows["step"] / max(rows["step"].max(), 1))
            style.curve(axis, ours, style.LINES[0], "this run", "share")
            drawn.append(ours.assign(relation=relation, whose="this run"))
            majority = _majority(frame, name, relation)
            style.level(axis, majority, MAJORITY, LABELS[MAJORITY], width=1.2)
            drawn.append(pd.DataFrame({"relation": [relation], "whose": LABELS[MAJORITY], "value": majority}))
        axis.set_title(relation, fontsize=9)
        axis.set_ylim(bottom=0)
        drawn.append(
            pd.DataFrame(
                {"relation": relation, "whose": "published BERT", "step": line.index, "value": line.to_numpy()}
            )
        )
    for axis in axes[::5]:
        axis.set_ylabel("precision at 1")
    figure.supxlabel(style.counted("share of the training steps"), fontsize=10)
    style.legend(figure, axes, 3)
    answer = f"{len(zero)} of the {len(published)} released curves are zero at every step"
    return style.show(
        figure,
        "knowledge-published",
        answer,
        pd.concat(drawn, ignore_index=True).reindex(columns=["relation", "whose", "step", "value", "low", "high", "n"]),
        f"How do these curves compare with the released ones of BERT? Precision at 1 by relation over the share of the "
        f"training steps. Bands: of this run 95% intervals over {OVER}; numbers of facts of BERT, read off the "
        f"released figure, are not given. The curves that are not zero are those of "
        f"{style.listed([str(relation) for relation in published.index.difference(zero)])}; that all others stay at "
        f"zero for a model of that size looks like a fault of the measurement. "
        + (
            "Baseline: the relation's most common object."
            if common
            else "This run was asked for none of these relations; drawn are the released curves that are not zero."
        ),
        f"{style.plural(len(relations), 'small line chart')} of precision at 1 over the share of training. {answer}.",
    )


def relations_table(frame: pd.DataFrame) -> HTML:
    """Every relation of the first set in numbers: what was asked, what was excluded and why, what came out."""
    name = knowledge.sets(frame)[0]
    table = knowledge.asked(frame, name).set_index("relation")
    rows = []
    for relation in table.index:
        end = knowledge.curve(frame, name, relation)
        counts = {column: f"{n:,}" for column, n in table.loc[relation].items()}
        scores = {"precision at 1 (95% interval)": "", "without copies": "", "most common object": "", "best step": ""}
        if len(end):
            last, best = end.iloc[-1], end.loc[end["value"].idxmax()]
            scores = {
                "precision at 1 (95% interval)": style.ranged(last, ".3f"),
                "without copies": _without_copies(frame, name, relation),
                "most common object": f"{_majority(frame, name, relation):.3f}",
                "best step": f"{best['step']:,.0f}" if best["value"] > 0 else "never right",
            }
        rows.append({"relation": knowledge.label(relation), **counts, **scores})
    return style.table(pd.DataFrame(rows))


def _without_copies(frame: pd.DataFrame, name: str, relation: str) -> str:
    rows = knowledge.curve(frame, f"{name}/{words.NOT_NAMED}", relation)
    return style.ranged(rows.iloc[-1], ".3f") if len(rows) else ""


def _majority(frame: pd.DataFrame, name: str, relation: str) -> float:
    return float(knowledge.curve(frame, name, relation, baseline=MAJORITY)["value"].iloc[-1])
