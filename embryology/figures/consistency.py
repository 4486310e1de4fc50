"""Whether templates that say the same get the same answer, over pretraining (section 6 of the paper)."""

import numpy as np
import pandas as pd
from IPython.display import HTML
from scipy import stats

from embryology.analysis import knowledge
from embryology.figures import style
from embryology.figures.knowledge import OVER, baselines, percent, with_interval
from embryology.specs.knowledge import CONSISTENCY, MAJORITY, OF_CANDIDATES, SHUFFLED


def numbers(frame: pd.DataFrame) -> dict[str, str]:
    """What the prose says of templates that say the same, by name."""
    name = paraphrased(frame)
    if name is None:
        return {"consistency": "not measured", "consistency_trend": "nothing to compare", "consistency_set": "none"}
    rows = knowledge.curve(frame, name, metric=CONSISTENCY)
    shuffled = knowledge.curve(frame, name, metric=CONSISTENCY, baseline=SHUFFLED)
    right = knowledge.curve(frame, name, metric=OF_CANDIDATES)
    excess = rows["value"] - shuffled["value"]
    majority = knowledge.curve(frame, name, baseline=MAJORITY)["value"]
    informative = int((right["low"].fillna(0).to_numpy() > majority.to_numpy()).sum())
    trend = "not to be told, as at too few checkpoints more is right than the most common objects would give"
    if informative >= knowledge.LEAST_CHECKPOINTS and np.ptp(right["value"]) > 0 and np.ptp(excess) > 0:
        rho = stats.spearmanr(excess, right["value"]).statistic
        trend = (
            f"Spearman's correlation over {len(rows)} checkpoints is {rho:.2f}, which says that both grow and no more, "
            "as checkpoints of one run are not independent"
        )
    return {
        "consistency_set": knowledge.set_label(name),
        "consistency": f"{with_interval(rows.iloc[-1])} of pairs, asked about different subjects in "
        f"{percent(shuffled['value'].iloc[-1])}",
        "consistency_trend": trend,
    }


def paraphrased(frame: pd.DataFrame) -> str | None:
    """The last set that has several templates a relation; None where none has."""
    names = [name for name in knowledge.sets(frame) if len(knowledge.curve(frame, name, metric=CONSISTENCY))]
    return names[-1] if names else None


@style.styled
def consistency(frame: pd.DataFrame) -> HTML:
    """Whether paraphrases get the same answer, and whether that rises as answers become right."""
    name = paraphrased(frame)
    if name is None:
        return HTML("<p>No relation of this run has several templates.</p>")
    figure, (over, against) = style.panels(1, 2, 9, 3.9)
    rows = knowledge.curve(frame, name, metric=CONSISTENCY)
    style.curve(over, rows, style.LINES[0], "same answer to two templates")
    beside = baselines(over, frame, name, "", CONSISTENCY)
    right = knowledge.curve(frame, name, metric=OF_CANDIDATES)
    style.curve(over, right, style.LINES[1], "right answer among the relation's objects")
    over.set(title=knowledge.set_label(name), ylabel="share of facts", ylim=(0, 1))
    style.training_axis(over, rows["step"], "training step")
    relations = _relations(frame, name)
    colour, marker, _ = style.LINES[0]
    against.plot(relations["right"], relations["excess"], color=colour, marker=marker, linestyle="")
    colour, dashes = style.BASELINE_LINES[SHUFFLED]
    against.axhline(0, color=colour, linestyle=dashes)
    against.set(title=f"relations at step {rows['step'].iloc[-1]:,}")
    against.set(xlabel="right among the relation's objects", ylabel="same answer, excess")
    style.legend(figure, [over], 2)
    values = numbers(frame)
    answer = f"Two templates get the same answer in {values['consistency']}"
    return style.show(
        figure,
        "knowledge-consistency",
        answer,
        pd.concat(
            [
                *(each.assign(what="same answer") for each in (rows, *beside)),
                right.assign(what="right answer"),
                relations.assign(what="a relation at the last checkpoint"),
            ],
            ignore_index=True,
        ),
        "Does the model give the same answer to questions that say the same? Left: the share of pairs of templates "
        f"with one answer. Bands: 95% intervals over {OVER}. Baselines: templates asked about different subjects (a "
        "model that always says the same agrees with itself), and the untrained model. Right: a point a relation at "
        f"the last checkpoint. Answers are among the relation's objects, {values['consistency_set']}. Of the excess "
        f"over different subjects and of right answers, {values['consistency_trend']}.",
        f"A line chart of consistency over training steps and a scatter plot of relations. {answer}.",
    )


def _relations(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """At the last checkpoint, by relation: ``right`` answers, and ``excess`` of consistency over shuffled subjects."""
    rows = []
    for relation in knowledge.relations(frame, name):
        same = knowledge.curve(frame, name, relation, CONSISTENCY)
        by_chance = knowledge.curve(frame, name, relation, CONSISTENCY, SHUFFLED)
        if len(same) and len(by_chance):
            right = knowledge.curve(frame, name, relation, OF_CANDIDATES)["value"].iloc[-1]
            excess = same["value"].iloc[-1] - by_chance["value"].iloc[-1]
            rows.append({"relation": relation, "right": right, "excess": excess})
    return pd.DataFrame(rows, columns=["relation", "right", "excess"])
