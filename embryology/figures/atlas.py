"""All checkpoints of a run over the same sentences: a slider, and what stands there without a script."""

import html
import json
from typing import Any

import pandas as pd
from IPython.display import HTML, Markdown

from embryology.analysis import checkpoints_said, tables
from embryology.figures import answers, plain_sentences, style
from embryology.figures.atlas_script import SCRIPT, STYLE
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import UNTRAINED
from embryology.specs.completions import ACCURACY, CHANCE, FREQUENT_WORD, GAP, PREFERENCE, RECONSTRUCTION, SPECIFICATION

MOST_IN_TABLE = 6
"""Checkpoints in the table that is there without a script."""
PANELS = {
    RECONSTRUCTION: ("words given back", FREQUENT_WORD),
    GAP: ("masked words", FREQUENT_WORD),
    PREFERENCE: ("better sentence preferred", CHANCE),
}
"""Titles of panels, and the blind answer of each."""


def read(series: Series, steps: str = "all") -> pd.DataFrame:
    """The items of the completions probe at chosen checkpoints, as of :func:`embryology.analysis.tables.read`."""
    return tables.select(measurements.read_items(series, SPECIFICATION.name), series, steps)


def answer(series: Series, items: pd.DataFrame) -> Markdown:
    """From what to what the answers go."""
    at = sorted(items["step"].unique())
    shares = {task: items[items["task"] == task].groupby("step")["correct"].agg(["sum", "size"]) for task in PANELS}
    said = []
    for task, what in ((RECONSTRUCTION, "words it gives back"), (GAP, "masked words it finds")):
        if len(shares[task]):
            first, last = shares[task].loc[at[0]], shares[task].loc[at[-1]]
            said.append(
                f"of {last['size']} {what} {first['sum']} at the first checkpoint and {last['sum']} at the last"
            )
    return answers.said(
        "What does the model say in plain sentences, and when does it make sense?",
        ", and ".join(said),
        f"{answers.of_one(series)}. These sentences are examples of ours, the same at all {len(at)} checkpoints; other "
        "pages have many more",
    )


def slider(series: Series, items: pd.DataFrame) -> HTML:
    """Every checkpoint's answers behind a slider; without a script a table of some checkpoints.

    Args:
        series: whose answers.
        items: of :func:`read`.
    """
    told = checkpoints_said.packed(items, plain_sentences.percent)
    names = [_when(series, step) for step in told["steps"]]
    told |= {"names": names, "counts": _counts(items), "first": told["steps"].index(checkpoints_said.halfway(items))}
    last = len(names) - 1
    return HTML(
        f'{plain_sentences.STYLE}{STYLE}<div class="said atlas" id="atlas"><div class="atlas-live" hidden>'
        '<div class="atlas-bar"><label for="atlas-step">Checkpoint</label>'
        f'<input type="range" id="atlas-step" min="0" max="{last}" step="1" value="{told["first"]}">'
        '<output id="atlas-said" for="atlas-step"></output></div>'
        f'<p class="atlas-legend">{plain_sentences.LEGEND} Below it the likeliest words where the underlined word is '
        'masked.</p><div id="atlas-sentences"></div></div>'
        f'<details class="atlas-table" open><summary>Some checkpoints as a table</summary>{_table(series, items)}'
        f'</details><script type="application/json" id="atlas-data">{_inline(told)}</script>'
        f"<script>{SCRIPT}</script></div>"
    )


@style.styled
def shares(frame: pd.DataFrame) -> HTML:
    """How many words, gaps and pairs are right over training, with intervals and blind answers.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
    """
    shown = [task for task in PANELS if len(tables.of(frame, task, ACCURACY))]
    figure, axes = style.grid(len(shown), 3, 2.6)
    x, label = style.training_x(frame)
    drawn = []
    for axis, task in zip(axes, shown, strict=True):
        title, blind = PANELS[task]
        for number, series in enumerate(frame["series"].unique()):
            rows = tables.of(frame, task, ACCURACY, series=series).sort_values("step")
            if len(rows):
                style.curve(axis, rows, style.LINES[number % len(style.LINES)], series, x)
                drawn.append(rows)
        for baseline in (blind, UNTRAINED):
            rows = tables.of(frame, task, ACCURACY, baseline).sort_values("step")
            style.baseline(axis, rows, baseline, SPECIFICATION.baselines[baseline], x)
            drawn.append(rows)
        n = int(tables.of(frame, task, ACCURACY)["n"].iloc[-1])
        axis.set(title=f"{title} · n = {n}", ylim=(-0.02, 1.02))
        style.training_axis(axis, frame[x], label)
    axes[0].set_ylabel("share right")
    style.legend(figure, axes, 2)
    finals = [
        f"{PANELS[task][0]} {tables.of(frame, task, ACCURACY).sort_values('step')['value'].iloc[-1]:.2f}"
        for task in shown
    ]
    answer = f"At the end: {', '.join(finals)}"
    return style.show(
        figure,
        "completions",
        answer,
        pd.concat(drawn)[["series", "step", "tokens", "task", "baseline", "value", "low", "high", "n"]],
        f"How many of these few sentences' words are right, in {tables.main_series(frame)}? Bands: 95% intervals over "
        "sentences, where there are enough of them. Dotted: the word that these sentences have most often, and chance; "
        "grey: the untrained model.",
        f"{len(shown)} line charts of shares over {label}. {answer}.",
    )


def _counts(items: pd.DataFrame) -> list[str]:
    """By step how many are right, in words."""
    told: dict[int, list[str]] = {int(step): [] for step in sorted(items["step"].unique())}
    for task, what in ((RECONSTRUCTION, "words given back"), (GAP, "masked words found")):
        for step, right in items[items["task"] == task].groupby("step")["correct"]:
            told[int(step)].append(f"{right.sum()} of {len(right)} {what}")
    return [", ".join(each) for each in told.values()]


def _table(series: Series, items: pd.DataFrame) -> str:
    """A row a sentence, a column a checkpoint: what is given back, wrong words in brackets, and the gap's likeliest."""
    steps = style.few(sorted(int(step) for step in items["step"].unique()), MOST_IN_TABLE)
    words, gaps = (items[(items["task"] == task) & items["step"].isin(steps)] for task in (RECONSTRUCTION, GAP))
    lines = {key: " ".join(_marked(own)) for key, own in words.groupby(["sentence", "step"])}
    likeliest = gaps.set_index(["sentence", "step"])
    head = "".join(f'<th scope="col">{html.escape(_when(series, step))}</th>' for step in steps)
    rows = []
    for name, text in items.dropna(subset="text").drop_duplicates("sentence").set_index("sentence")["text"].items():
        cells = []
        for step in steps:
            filled = ""
            if (name, step) in likeliest.index:
                own = likeliest.loc[(name, step)]
                filled = f"<br><i>{html.escape(own['word'])}: {html.escape(own['answer'])}</i>"
            cells.append(f"<td>{html.escape(lines.get((name, step), ''))}{filled}</td>")
        if (name, steps[0]) in lines or (name, steps[0]) in likeliest.index:
            rows.append(f'<tr><th scope="row">{html.escape(str(text))}</th>{"".join(cells)}</tr>')
    return (
        "<p>Wrong words stand in brackets. In italics: the masked word, and the likeliest word in its place.</p>"
        '<div style="overflow-x: auto" tabindex="0" role="region" aria-label="table of some checkpoints"><table>'
        f'<thead><tr><th scope="col">sentence</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _marked(words: pd.DataFrame) -> list[str]:
    return [word.word if word.correct else f"[{word.answer}]" for word in words.sort_values("start").itertuples()]


def _when(series: Series, step: int) -> str:
    return style.AT[series.unit].replace(r"\1", f"{step:,}")


def _inline(value: Any) -> str:
    """As JSON that may stand in a page."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
