"""What the page about attention says in words: what forms, when, how suddenly, and beside what frequency predicts."""

import pandas as pd
from IPython.display import Markdown

from embryology.analysis import attention, tables
from embryology.analysis.attention import ALL, Formation
from embryology.analysis.learning_order import NEVER_BEYOND, REACHED, UNTOLD, ranks, untellable
from embryology.analysis.suddenness import verdict
from embryology.figures import answers, style
from embryology.figures.learning_order import doublings, in_words
from embryology.runs.series import Series
from embryology.specs.attention import FIRST, NEXT, OFFSET, PREVIOUS, SELF, SEPARATOR, SHARE_LEFT_OUT

LABELS = {
    SELF: "the token itself",
    PREVIOUS: "the previous token",
    NEXT: "the next token",
    FIRST: "the first token of the input",
    SEPARATOR: "separators",
}
"""Where attention goes, by the names of the masses."""


def numbers(frame: pd.DataFrame, formation: Formation) -> dict[str, str]:
    """What the prose of the page says of the first series, by name.

    Args:
        frame: of :func:`embryology.analysis.tables.read`.
        formation: of :func:`embryology.analysis.attention.read`.
    """
    own = frame[frame["series"] == tables.main_series(frame)]
    left_out = own[own["metric"] == SHARE_LEFT_OUT].iloc[-1]
    relations = formation.relations
    return {
        "source": formation.source,
        "sentences": f"{left_out['n'] - round(left_out['value'] * left_out['n']):,.0f} of {left_out['n']:,}",
        "previous": _previous(frame, formation),
        "syntax": _syntax(frame, formation),
        "frequency": frequency(formation),
        "layers": " ".join(_layers(name, table) for name, table in formation.patterns.items()),
        "heads": " ".join(_heads(name, table) for name, table in formation.heads.items()),
        "relations": in_words(ranks(relations.drop(index=ALL, errors="ignore"))),
        "beyond": beyond(frame, relations),
    }


def answer(series: Series, frame: pd.DataFrame, formation: Formation) -> Markdown:
    """To what heads come to attend; arguments as of :func:`numbers`."""
    previous = formation.patterns.get(PREVIOUS)
    layers = (
        "there is no token before another one"
        if previous is None
        else f"cannot be told: {_why(frame)}"
        if (previous["state"] == UNTOLD).all()
        else f"in {int((previous['state'] == REACHED).sum())} of {answers.count(len(previous), 'layer')}"
    )
    return answers.said(
        "Do heads come to attend to the word before, and to a word's syntactic head?",
        f"To the previous token: {layers}. To syntactic heads, beyond the best fixed offset: "
        f"{beyond(frame, formation.relations)}",
        answers.of_one(series, "documents"),
    )


def _came(times: pd.Series, formation: Formation) -> str:
    """How a gain came, of a row with a time, as the rest of a sentence."""
    how = {"sudden": "suddenly", "gradual": "gradually", None: "but whether suddenly cannot be told"}
    came = (
        f"is halfway there at step {style.stepped(times)}, {how[verdict(times)]}: from a quarter of its gain to three "
        f"quarters it takes {doublings(times)}"
    )
    if isinstance(formation.frequency, str):
        return f"{came}. Whether before or after what frequency alone predicts cannot be told: {formation.frequency}"
    order = attention.beside(times, formation.frequency)
    place = f"the loss falls below what frequencies alone give (step {style.stepped(formation.frequency)})"
    return f"{came}. It comes {order} {place}" if order else f"{came}. Whether before or after {place} cannot be told"


def _previous(frame: pd.DataFrame, formation: Formation) -> str:
    """Whether, when and how suddenly attention to the previous token comes."""
    if PREVIOUS not in formation.patterns:
        return "No sentence has a token before another one."
    times = formation.patterns[PREVIOUS]
    if (times["state"] == UNTOLD).all():
        return f"When attention to the previous token comes cannot be told: {_why(frame)}."
    layer = str((times["final"] - times["blind"]).idxmax())
    curves = formation.curves
    end = curves[(curves["pattern"] == PREVIOUS) & (curves["layer"] == int(layer.split()[1]))].iloc[-1]
    ends = f"it gets {style.ranged(end, '.3f')} of a head's attention there in the end, where uniform attention or the "
    ends += f"untrained model give {times.loc[layer, 'blind']:.3f}"
    if times.loc[layer, "state"] == REACHED:
        return f"Attention to the previous token, most of all in {layer}, {_came(times.loc[layer], formation)}; {ends}."
    return f"Attention to the previous token does not come in any layer; the closest is {layer}: {ends}."


def _syntax(frame: pd.DataFrame, formation: Formation) -> str:
    """Whether, when and how suddenly heads find syntactic heads."""
    times = formation.relations
    if times.empty:
        return "Whether heads find syntax cannot be told: there are no other sentences to choose heads on."
    if (times["state"] == UNTOLD).all():
        return f"When heads find syntax cannot be told: {_why(frame)}."
    ends = {name: attention.found(frame, ALL, name).iloc[-1] for name in (None, OFFSET)}
    score = (
        f"{style.ranged(ends[None], '.1f', '%', 100)} of syntactic heads are found at the end, "
        f"{style.ranged(ends[OFFSET], '.1f', '%', 100)} by the best fixed offsets"
    )
    timed = times[times["state"] == REACHED]
    if len(timed):
        first = ALL if ALL in timed.index else str(timed["step"].idxmin())
        what = f"syntactic heads ({first})" if first else "syntactic heads of all relations"
        return f"Finding {what} beyond the best fixed offset {_came(timed.loc[first], formation)}. {score}."
    rise = formation.attached.loc[ALL]
    beyond_chance = "What heads find beyond uniform attention and the untrained model, as attention to neighbours does,"
    risen = f" {beyond_chance} {_came(rise, formation)}." if rise["state"] == REACHED else ""
    return f"Finding syntactic heads beyond the best fixed offset does not come, of no relation: {score}.{risen}"


def _why(frame: pd.DataFrame) -> str:
    return untellable(frame) or "there are too few sentences"


def frequency(formation: Formation) -> str:
    if isinstance(formation.frequency, str):
        return f"cannot be told here: {formation.frequency}"
    return f"is step {style.stepped(formation.frequency)}"


def _layers(name: str, times: pd.DataFrame) -> str:
    """In which order a pattern comes in layers, as a sentence."""
    timed = times[times["state"] == REACHED]
    if timed.empty:
        return f"To {LABELS[name]}: in no layer."
    never = list(times.index[times["state"] == NEVER_BEYOND])
    order = in_words(ranks(timed)) if len(times) > 1 else str(timed.index[0])
    return f"To {LABELS[name]}: {order}{f'; not in {style.listed(never)}' if never else ''}."


def _heads(name: str, times: pd.DataFrame) -> str:
    """How many heads come to attend so, the first and the last of them, as a sentence."""
    timed = times[times["state"] == REACHED].sort_values("step", kind="stable")
    if timed.empty:
        return f"To {LABELS[name]}: none of {len(times)}."
    first, last = (f"{timed.index[at]} at step {style.stepped(timed.iloc[at])}" for at in (0, -1))
    when = first if len(timed) == 1 else f"the first {first}, the last {last}"
    return f"To {LABELS[name]}: {len(timed)} of {len(times)}, {when}."


def beyond(frame: pd.DataFrame, times: pd.DataFrame) -> str:
    """Which relations end beyond all baselines, as a clause."""
    of = times.drop(index=ALL, errors="ignore")
    above = list(of.index[of["state"] == REACHED])
    if of.empty or (of["state"] == UNTOLD).all():
        return f"cannot be told: {_why(frame) if len(of) else 'no relation has words enough'}"
    return f"{len(above)} of {len(of)} relations{f' ({style.listed(above)})' if above else ''}"
