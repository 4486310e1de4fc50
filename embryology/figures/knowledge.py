"""Which facts a model knows over pretraining, relation by relation (section 6 of the paper)."""

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes
from scipy import stats

from embryology.analysis import curves, knowledge
from embryology.figures import style

LINES = {
    knowledge.MAJORITY: "most common object of the relation",
    knowledge.TEMPLATE: "template without a subject",
    curves.UNTRAINED: "untrained model (step 0)",
    knowledge.SHUFFLED: "templates asked about different subjects",
}
STYLES = {
    knowledge.MAJORITY: style.BASELINE_LINES["majority"],
    knowledge.TEMPLATE: style.BASELINE_LINES["static"],
    curves.UNTRAINED: style.BASELINE_LINES["untrained"],
    knowledge.SHUFFLED: style.BASELINE_LINES["control"],
}


def facts(frame: pd.DataFrame, source: str) -> dict[str, str]:
    """What the prose of the page says of the first set of the first run.

    Args:
        frame: of :func:`embryology.analysis.knowledge.read`.
        source: of :func:`embryology.analysis.knowledge.source`.
    """
    name, *others = knowledge.sets(frame)
    relations = knowledge.relations(frame, name)
    end, majority = _last(frame, name), _last(frame, name, baseline=knowledge.MAJORITY)
    above = [relation for relation in relations if knowledge.beyond(frame, name, relation)]
    best_not_last = [relation for relation in relations if _falls(frame, name, relation)]
    said = {
        "source": source,
        "others": style.listed([knowledge.SETS[other] for other in others]),
        "last": f"{knowledge.curve(frame, name)['step'].iloc[-1]:,}",
        "n": f"{int(end['n']):,}",
        "relations": str(len(relations)),
        "accuracy": _said(end),
        "majority": _percent(majority["value"]),
        "template": _percent(_last(frame, name, baseline=knowledge.TEMPLATE)["value"]),
        "not_named": _said(_last(frame, f"{name}/not named")),
        "beyond": "lies above all of them" if knowledge.beyond(frame, name) else "does not lie above all of them",
        "relations_beyond": style.listed([knowledge.label(relation) for relation in above]),
        "relations_fall": str(len(best_not_last)),
        "at_10": _said(_last(frame, name, "precision_at_10")),
        "rank": f"{_last(frame, name, 'reciprocal_rank')['value']:.3f}",
        "candidates": _said(_last(frame, name, "accuracy_of_candidates")),
        "gain": _nats(_last(frame, name, "gain")),
        "gain_not_named": _nats(_last(frame, f"{name}/not named", "gain")),
    }
    held_out = knowledge.curve(frame, f"{name}/held out", metric="gain")
    said["held_out"] = (
        f"{_nats(held_out.iloc[-1])} for {int(held_out['n'].iloc[-1]):,} facts whose article was held out, and "
        f"{_nats(_last(frame, f'{name}/not held out', 'gain'))} for the others"
        if len(held_out)
        else "this set does not say which article a fact stands in"
    )
    return said


def _last(frame: pd.DataFrame, task: str, metric: str = knowledge.ACCURACY, baseline: str | None = None) -> pd.Series:
    """At the last checkpoint; nan where there is none, as sentences of their own have no template without a subject."""
    rows = knowledge.curve(frame, task, metric=metric, baseline=baseline)
    return rows.iloc[-1] if len(rows) else pd.Series(np.nan, rows.columns)


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%" if np.isfinite(value) else "not measured"


def _said(row: pd.Series) -> str:
    interval = f" ({100 * row['low']:.1f} to {100 * row['high']:.1f})" if np.isfinite(row["low"]) else ""
    return f"{_percent(row['value'])}{interval}"


def _nats(row: pd.Series) -> str:
    if not np.isfinite(row["value"]):
        return "not measured"
    return f"{row['value']:.2f} nats ({row['low']:.2f} to {row['high']:.2f})"


def _falls(frame: pd.DataFrame, name: str, relation: str) -> bool:
    """Whether the best checkpoint is not the last, interval against interval."""
    rows = knowledge.curve(frame, name, relation)
    return bool(rows["low"].max() > rows["high"].iloc[-1])


def _baselines(axis: Axes, frame: pd.DataFrame, task: str, item: str, metric: str, x: str = "step") -> None:
    for name, (colour, dashes) in STYLES.items():
        rows = knowledge.curve(frame, task, item, metric, name)
        if len(rows):
            axis.plot(
                rows[x].astype(float), rows["value"], color=colour, linestyle=dashes, linewidth=1.3, label=LINES[name]
            )


@style.styled
def scores(frame: pd.DataFrame, source: str) -> HTML:
    """The paper's figure: precision at 1 over training, a panel a relation, and one for all of them.

    Args:
        frame: of :func:`embryology.analysis.knowledge.read`.
        source: of :func:`embryology.analysis.knowledge.source`.
    """
    name = knowledge.sets(frame)[0]
    relations = knowledge.relations(frame, name)
    shown = ["", *relations[: knowledge.SHOWN]]
    rows = -(-len(shown) // 2)
    figure, axes = style.panels(rows, 2, 9, 2.3 * rows + 1.1)
    x, x_label = style.training_x(frame)
    drawn = []
    for axis, item in zip(axes, shown, strict=False):
        for number, series in enumerate(frame["series"].unique()):
            own = knowledge.curve(frame, name, item, series=series)
            if len(own):
                style.curve(axis, own, style.LINES[number % len(style.LINES)], series, x)
                drawn.append(own.assign(series=series, relation=item or "all"))
        _baselines(axis, frame, name, item, knowledge.ACCURACY, x)
        n = int(knowledge.curve(frame, name, item)["n"].iloc[-1])
        axis.set(title=f"{knowledge.label(item) if item else 'all relations'} · n = {n:,}", ylabel="precision at 1")
        axis.set_ylim(bottom=0)
        style.training_axis(axis, frame[x], x_label)
    for axis in axes[len(shown) :]:
        axis.set_axis_off()
    style.legend(figure, axes[: len(shown)], 2)
    end, majority = _last(frame, name), _last(frame, name, baseline=knowledge.MAJORITY)
    above = sum(knowledge.beyond(frame, name, relation) for relation in relations)
    answer = (
        f"At the end {_said(end)} of facts are answered right; the most common objects alone would give "
        f"{_percent(majority['value'])}; above all baselines: {above} of {len(relations)} relations"
    )
    style.title(figure, answer)
    return style.show(
        figure,
        "knowledge",
        pd.concat(drawn, ignore_index=True)[["series", "relation", "step", "tokens", "value", "low", "high", "n"]],
        f"Which facts does the model know? The object of a fact is masked in the relation's template, and counts as "
        f"right where it is the most likely of all pieces. Facts: {source}, objects of one piece, "
        f"{len(relations)} relations of which {len(shown) - 1} are drawn. Bands: 95% Wilson intervals over facts. "
        f"Baselines: the relation's most common object, the template without a subject, the untrained model.",
        f"{len(shown)} line charts of precision at 1 over training, one for all relations and one for each of "
        f"{style.listed([knowledge.label(relation) for relation in shown[1:]])}. {answer}.",
    )


PARTS = {
    "all facts": "",
    "object not in the subject's name": "/not named",
    "article held out": "/held out",
}
MEASURES = {
    "precision_at_10": ("precision at 10, all pieces", "share of facts"),
    "accuracy_of_candidates": ("precision at 1, the relation's objects", "share of facts"),
    "reciprocal_rank": ("mean reciprocal rank, all pieces", "1 / rank"),
    "gain": ("likelier with the fact's own subject", "nats"),
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
        _baselines(axis, frame, name, "", metric)
        axis.set(title=title, ylabel=unit)
    majority = knowledge.curve(frame, name, baseline=knowledge.MAJORITY)
    colour, dashes = STYLES[knowledge.MAJORITY]
    axes[1].plot(
        majority["step"], majority["value"], color=colour, linestyle=dashes, linewidth=1.3,
        label=LINES[knowledge.MAJORITY],
    )  # fmt: skip
    axes[3].axhline(0, color=style.INK, linewidth=1, linestyle=(0, (5, 2)), label="subjects make no difference")
    pieces = {"objects of one piece": (name, 0), "objects of several pieces": (f"{name}/several pieces", 4)}
    for axis, (part, (task, line)) in zip(axes[4:], pieces.items(), strict=True):
        rows = knowledge.curve(frame, task, metric="log_probability")
        if len(rows):
            style.curve(axis, rows, style.LINES[line], part)
            drawn.append(rows.assign(facts=part, metric="log_probability"))
            _baselines(axis, frame, task, "", "log_probability")
        axis.set(title=f"log-probability, {part}", ylabel="nats")
    for axis in axes:
        style.training_axis(axis, frame["step"], "training step")
    style.legend(figure, axes, 2)
    said = facts(frame, source)
    answer = (
        f"How much likelier an object is with its own subject than with others: {said['gain']}; right among the "
        f"relation's objects: {said['candidates']}"
    )
    style.title(figure, answer)
    return style.show(
        figure,
        "knowledge-measures",
        pd.concat(drawn, ignore_index=True)[["facts", "metric", "step", "value", "low", "high", "n"]],
        f"Does the model know more than its first answer tells? The same questions ({source}) scored by whether the "
        "object is among the ten most likely pieces, whether it is the most likely of the relation's own objects, "
        "the reciprocal of its rank, how much likelier it is with the fact's own subject than with subjects that "
        "have other objects, and its log-probability, which objects of several pieces have too (scored left to "
        "right, each piece given those before it). Bands: 95%, Wilson for shares, else a bootstrap over facts. "
        "Baselines: the relation's most common object, the untrained model, and no difference between subjects.",
        f"Six line charts over training steps: precision at 10, precision among candidates, reciprocal rank, gain by "
        f"the subject, log-probabilities. {answer}; the mean reciprocal rank is {said['rank']}.",
    )


@style.styled
def beside_published(frame: pd.DataFrame) -> HTML:
    """The released curves of BERT beside this run's; those that are not zero where none is of the same relation."""
    theirs, name = knowledge.published(), knowledge.sets(frame)[0]
    zero = theirs.index[(theirs == 0).all(axis=1)]
    common = [relation for relation in theirs.index if relation in set(knowledge.relations(frame, name))]
    relations = common or list(theirs.index.difference(zero))
    high = -(-len(relations) // 5)
    figure, axes = style.panels(high, min(5, len(relations)), 9.5, 1.75 * high + 0.9, sharex=True)
    drawn = []
    for axis, relation in zip(axes, relations, strict=False):
        line = theirs.loc[relation]
        colour, marker, dashes = style.LINES[1]
        axis.plot(
            line.index / line.index.max(), line, color=colour, marker=marker, markersize=2.5, linestyle=dashes,
            label="published BERT",
        )  # fmt: skip
        rows = knowledge.curve(frame, name, relation)
        if len(rows):
            ours = rows.assign(share=rows["step"] / max(rows["step"].max(), 1))
            style.curve(axis, ours, style.LINES[0], "this run", "share")
            drawn.append(ours.assign(relation=relation, whose="this run"))
            colour, dashes = STYLES[knowledge.MAJORITY]
            majority = knowledge.curve(frame, name, relation, baseline=knowledge.MAJORITY)["value"].iloc[-1]
            axis.axhline(majority, color=colour, linestyle=dashes, linewidth=1.2, label=LINES[knowledge.MAJORITY])
        axis.set_title(relation, fontsize=9)
        axis.set_ylim(bottom=0)
        drawn.append(
            pd.DataFrame(
                {"relation": relation, "whose": "published BERT", "step": line.index, "value": line.to_numpy()}
            )
        )
    for axis in axes[len(relations) :]:
        axis.set_axis_off()
    for axis in axes[::5]:
        axis.set_ylabel("precision at 1")
    figure.supxlabel("share of the training steps", fontsize=10)
    style.legend(figure, axes[: len(relations)], 3)
    answer = f"{len(zero)} of the {len(theirs)} released curves are zero at every step"
    style.title(figure, answer)
    return style.show(
        figure,
        "knowledge-published",
        pd.concat(drawn, ignore_index=True).reindex(columns=["relation", "whose", "step", "value", "low", "high", "n"]),
        f"How do these curves compare with the released ones of BERT? Precision at 1 by relation over the share of the "
        f"training steps: this run with 95% Wilson intervals, and BERT, read off the released figure, whose numbers of "
        f"facts are not given. The curves that are not zero are those of "
        f"{style.listed([str(relation) for relation in theirs.index.difference(zero)])}; that all others stay at zero "
        f"for a model of that size looks like a fault of the measurement. "
        + (
            "Baseline: the relation's most common object."
            if common
            else "This run was asked for none of these relations; drawn are the released curves that are not zero."
        ),
        f"{len(relations)} small line charts of precision at 1 over the share of training. {answer}.",
    )


def consistency_facts(frame: pd.DataFrame) -> dict[str, str]:
    """What the prose says of templates that say the same."""
    name = paraphrased(frame)
    if name is None:
        return {"consistency": "not measured", "consistency_trend": "nothing to compare", "consistency_set": "none"}
    rows = knowledge.curve(frame, name, metric="consistency")
    shuffled = knowledge.curve(frame, name, metric="consistency", baseline=knowledge.SHUFFLED)
    right = knowledge.curve(frame, name, metric="accuracy_of_candidates")
    excess = rows["value"] - shuffled["value"]
    trend = "too few checkpoints to tell"
    if len(rows) > 3 and np.ptp(right["value"]) > 0 and np.ptp(excess) > 0:
        rho = stats.spearmanr(excess, right["value"]).statistic
        trend = f"Spearman's correlation over {len(rows)} checkpoints is {rho:.2f}"
    return {
        "consistency_set": knowledge.SETS[name],
        "consistency": f"{_said(rows.iloc[-1])} of pairs, asked about different subjects in "
        f"{_percent(shuffled['value'].iloc[-1])}",
        "consistency_trend": trend,
    }


def paraphrased(frame: pd.DataFrame) -> str | None:
    """The last set that has several templates a relation; None where none has."""
    names = [name for name in knowledge.sets(frame) if len(knowledge.curve(frame, name, metric="consistency"))]
    return names[-1] if names else None


@style.styled
def consistency(frame: pd.DataFrame) -> HTML:
    """Whether paraphrases get the same answer, and whether that rises as answers become right."""
    name = paraphrased(frame)
    if name is None:
        return HTML("<p>No relation of this run has several templates.</p>")
    figure, (over, against) = style.panels(1, 2, 9, 3.9)
    rows = knowledge.curve(frame, name, metric="consistency")
    style.curve(over, rows, style.LINES[0], "same answer to two templates")
    _baselines(over, frame, name, "", "consistency")
    right = knowledge.curve(frame, name, metric="accuracy_of_candidates")
    style.curve(over, right, style.LINES[1], "right answer among the relation's objects")
    over.set(title=knowledge.SETS[name], ylabel="share of facts", ylim=(0, 1))
    style.training_axis(over, rows["step"], "training step")
    relations = pd.DataFrame(
        [
            {"relation": relation, "right": right, "excess": own["value"].iloc[-1] - other["value"].iloc[-1]}
            for relation in knowledge.relations(frame, name)
            if len(own := knowledge.curve(frame, name, relation, "consistency"))
            and len(other := knowledge.curve(frame, name, relation, "consistency", knowledge.SHUFFLED))
            for right in [knowledge.curve(frame, name, relation, "accuracy_of_candidates")["value"].iloc[-1]]
        ]
    )
    colour, marker, _ = style.LINES[0]
    against.plot(relations["right"], relations["excess"], color=colour, marker=marker, linestyle="")
    against.axhline(0, color=style.BASELINE_LINES["control"][0], linestyle=style.BASELINE_LINES["control"][1])
    against.set(
        title=f"relations at step {rows['step'].iloc[-1]:,}", xlabel="right among the relation's objects",
        ylabel="same answer, excess",
    )  # fmt: skip
    style.legend(figure, [over], 2)
    said = consistency_facts(frame)
    answer = f"Two templates get the same answer in {said['consistency']}"
    style.title(figure, answer)
    return style.show(
        figure,
        "knowledge-consistency",
        pd.concat([rows.assign(what="same answer"), right.assign(what="right answer")], ignore_index=True),
        "Does the model give the same answer to questions that say the same, and more so as it comes to know? Left: "
        "the share of pairs of templates with the same answer among the relation's objects "
        f"({said['consistency_set']}), 95% bootstrap over facts, beside the agreement of templates that are asked "
        "about different subjects (a model that always says the same agrees with itself) and the untrained model's. "
        "Right: a point a relation at the last checkpoint. Of the excess over different subjects and of right "
        f"answers, {said['consistency_trend']}.",
        f"A line chart of consistency over training steps and a scatter plot of relations. {answer}.",
    )


def relations_table(frame: pd.DataFrame) -> HTML:
    """Every relation of the first set in numbers: what was asked, what was excluded and why, what came out."""
    name = knowledge.sets(frame)[0]
    table = knowledge.asked(frame, name).set_index("relation")
    rows = []
    for relation in table.index:
        end = knowledge.curve(frame, name, relation)
        counts = {column: f"{n:,}" for column, n in table.loc[relation].items()}
        found = {"precision at 1 (95% interval)": "", "most common object": "", "best step": ""}
        if len(end):
            last, best = end.iloc[-1], end.loc[end["value"].idxmax()]
            found = {
                "precision at 1 (95% interval)": f"{last['value']:.3f} ({last['low']:.3f} to {last['high']:.3f})",
                "most common object": f"{_item(frame, name, relation):.3f}",
                "best step": f"{best['step']:,.0f}" if best["value"] > 0 else "never right",
            }
        rows.append({"relation": knowledge.label(relation), **counts, **found})
    return style.table(pd.DataFrame(rows))


def _item(frame: pd.DataFrame, name: str, relation: str) -> float:
    return float(knowledge.curve(frame, name, relation, baseline=knowledge.MAJORITY)["value"].iloc[-1])
