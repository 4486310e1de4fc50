"""One checkpoint: what it says, gives back, attends to, believes and prefers, and what had come by then."""

import html

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown
from matplotlib.colors import PowerNorm

from embryology.analysis import at_step, attention, grammar, knowledge, tables
from embryology.figures import answers, clock, plain_sentences, style
from embryology.runs.series import Series
from embryology.specs import completions as words
from embryology.specs.completions import ACCURACY, ANSWER, FREQUENT_WORD, GAP, PREFERENCE, RECONSTRUCTION

MOST_FACTS, MOST_HEADS = 14, 4
"""That are shown; of each layer."""


QUESTION = "What does the model say at this checkpoint?"


def answer(series: Series, step: int) -> Markdown:
    """What the checkpoint says; or that it was not asked."""
    told, when = at_step.read(series, words.SPECIFICATION.name, step), _when(series, step)
    if isinstance(told, str):
        return answers.said(QUESTION, f"{answers.UNTOLD} of {when}: {told}", answers.of_one(series))
    gaps = at_step.value(told.rows, GAP, ACCURACY)
    given = at_step.value(told.rows, RECONSTRUCTION, ACCURACY)
    blind = at_step.value(told.rows, RECONSTRUCTION, ACCURACY, FREQUENT_WORD)
    favourite, most = at_step.favourite(told.items)
    same = f"; in {most} of them it is “{_escaped(favourite)}”" if most > 1 else ", each time another word"
    pairs = at_step.value(told.rows, PREFERENCE, ACCURACY)
    preferred = ""
    if pd.notna(pairs["value"]):
        preferred = f" Of {pairs['n']} pairs of sentences it prefers the better one in {_right(pairs)}."
    return answers.said(
        QUESTION,
        f"At {when} the likeliest word is the right one in {_right(gaps)} of {gaps['n']} gaps{same}. Of {given['n']} "
        f"words of whole sentences it gives back {_right(given)}, where one word everywhere would be right of "
        f"{_right(blind)}.{preferred}",
        f"{answers.of_one(series)}. These sentences are examples of ours, and say nothing of others",
    )


def completed(series: Series, step: int) -> HTML:
    """Sentences with a gap, and the likeliest words in it with their probabilities."""
    told = at_step.read(series, words.SPECIFICATION.name, step)
    if isinstance(told, str):
        return _not_measured(told)
    gaps, answers = (told.items[told.items["task"] == task] for task in (GAP, ANSWER))
    shown = [plain_sentences.gap(item, answers[answers["sentence"] == item["sentence"]]) for _, item in gaps.iterrows()]
    return HTML(plain_sentences.in_one(shown))


def given_back(series: Series, step: int) -> HTML:
    """Whole sentences, each word right or wrong."""
    told = at_step.read(series, words.SPECIFICATION.name, step)
    if isinstance(told, str):
        return _not_measured(told)
    own = told.items[told.items["task"] == RECONSTRUCTION]
    shown = [plain_sentences.given_back(sentence) for _, sentence in own.groupby("sentence", sort=False)]
    return HTML(plain_sentences.in_one([*shown, f"<p>{plain_sentences.LEGEND}</p>"]))


@style.styled
def attends(series: Series, step: int) -> HTML:
    """The attention of the kept heads of every layer in one sentence, where maps were kept."""
    told = at_step.read(series, "attention", step)
    if isinstance(told, str):
        return _not_measured(told)
    maps = attention.kept_maps(told.items)
    if maps.empty:
        return style.paragraph("Not drawn: no maps of single sentences were kept of this series.")
    kept = maps[(maps["sentence"] == maps["sentence"].iloc[0]) & (maps["head"] <= MOST_HEADS)]
    layers = style.few(sorted(kept["layer"].unique()), len(style.LINES))
    kept = kept[kept["layer"].isin(layers)].sort_values(["layer", "head"], ignore_index=True)
    pieces, columns = kept["pieces"].iloc[0], int(kept["head"].nunique())
    figure, axes = style.panels(
        len(layers), columns, 1.9 * columns + 1, 1.9 * len(layers) + 0.8, sharex=True, sharey=True
    )
    top, drawn = max(square.max() for square in kept["map"]), []
    for axis, row in zip(axes, kept.itertuples(), strict=True):
        image = axis.imshow(row.map, norm=PowerNorm(0.5, 0, top), cmap="cividis")
        axis.grid(False)
        axis.set_xticks(range(len(pieces)), pieces, rotation=90, fontsize=6)
        axis.set_yticks(range(len(pieces)), pieces, fontsize=6)
        axis.set_title(f"head {row.layer}-{row.head}", fontsize=9)
        if row.layer == layers[-1]:
            axis.set_xlabel("to", fontsize=9)
        if row.head == kept["head"].min():
            axis.set_ylabel("from", fontsize=9)
        cells = pd.DataFrame(row.map).stack().rename_axis(["from", "to"]).rename("attention").reset_index()
        drawn.append(cells.assign(layer=row.layer, head=row.head))
    figure.colorbar(image, ax=list(axes), label="attention, share", shrink=0.8)
    strongest = kept.loc[kept["map"].map(np.max).idxmax()]
    answer = (
        f"The strongest attention of these heads, {strongest['map'].max():.2f}, is that of head {strongest['layer']}-"
        f"{strongest['head']}; evenly spread it would be {1 / len(pieces):.2f}"
    )
    return style.show(
        figure,
        "checkpoint-attention",
        answer,
        pd.concat(drawn, ignore_index=True)[["layer", "head", "from", "to", "attention"]],
        f"Where do heads attend at {_when(series, step)}? One sentence of our own, from each token (row) to each "
        "(column), a row of maps a layer; one scale for all, of square roots. An example, without intervals.",
        f"{len(kept)} attention maps of one sentence. {answer}.",
    )


def believes(series: Series, step: int) -> HTML:
    """Some facts that were asked for, those that are right first."""
    told = at_step.read(series, "knowledge", step)
    if isinstance(told, str):
        return _not_measured(told)
    name, named, facts = at_step.facts(told, MOST_FACTS)
    right = at_step.value(told.rows, name, ACCURACY)
    beyond = at_step.value(told.rows, name, "known")
    sentence = f"Of {right['n']:,} facts ({knowledge.set_label(name)}) "
    if right["value"]:
        sentence += f"{_right(right)} are right, {_right(beyond)} of them where the question without its subject gets "
        sentence += "another answer. Some are shown, right ones first, of each relation the most certain."
    else:
        sentence += "none is right. Those of each relation are shown whose object is the likeliest to the model."
    if not named:
        sentence += " Their text is not kept here: facts and objects have numbers."
    table = pd.DataFrame(
        {
            "relation": facts["relation"].map(knowledge.label),
            "fact": facts["fact"],
            "object": facts["right"],
            "the model says": facts["said"].where(facts["said"] != "", "something else"),
            "right": np.where(facts["correct"], "✓ right", "✗ wrong"),
        }
    )
    return HTML(style.paragraph(sentence).data + style.table(table).data)


def prefers(series: Series, step: int) -> HTML:
    """Pairs of our own, with the sentence that is preferred."""
    told = at_step.read(series, words.SPECIFICATION.name, step)
    if isinstance(told, str):
        return _not_measured(told)
    pairs = told.items[told.items["task"] == PREFERENCE]
    if pairs.empty:
        return style.paragraph("No pairs of sentences were asked beside these sentences.")
    return style.table(
        pd.DataFrame(
            {
                "better": pairs["text"],
                "worse": pairs["other"],
                "the model prefers": np.where(pairs["correct"], "✓ the better", "✗ the worse"),
                "by": pairs["difference"].abs().map("{:.1f} nats".format),
            }
        )
    )


def by_phenomenon(series: Series, step: int) -> HTML:
    """Minimal pairs of the grammar probe, by phenomenon."""
    told = at_step.read(series, "grammar", step)
    if isinstance(told, str):
        return _not_measured(told)
    rows = at_step.phenomena(told)
    table = pd.DataFrame(
        {
            "phenomenon": rows["group"].map(grammar.label),
            "pairs": rows["n"],
            "right, with 95% interval": [style.ranged(row, ".0f", "%", 100) for _, row in rows.iterrows()],
        }
    )
    over = tables.units(told.rows, "pair")
    return HTML(style.table(table).data + style.paragraph(f"Chance is one half. Intervals are over {over}.").data)


def on_the_clock(series: Series, step: int) -> HTML:
    """What had come by this checkpoint, of all that was measured of the series."""
    return clock.until(clock.read([series]), step)


def _right(row: pd.Series) -> str:
    return f"{round(row['value'] * row['n']):,}"


def _when(series: Series, step: int) -> str:
    return style.AT[series.unit].replace(r"\1", f"{step:,}")


def _not_measured(reason: str) -> HTML:
    return style.paragraph(f"Not measured at this checkpoint: {reason}.")


def _escaped(text: str) -> str:
    """Text of a model in Markdown, whatever it says."""
    return "".join(f"\\{each}" if each in r"\`*_{}[]()#+-.!|~$" else each for each in html.escape(text))
