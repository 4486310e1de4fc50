"""One clock: when each thing that was measured of a series came, whatever probe measured it.

Words, attention, grammar and facts come halfway from their best blind answer to where they end
(:mod:`embryology.analysis.learning_order`); what vectors tell comes at half of its gain from the first to the last
checkpoint (:func:`embryology.analysis.edges.half_gains`); the loss falls below what frequencies alone give, and one
n-gram explains more than another, where they cross for good.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from embryology import intervals
from embryology.analysis import attention, edges, grammar, knowledge, phases, tables
from embryology.analysis.curves import groups
from embryology.analysis.learning_order import (
    FEWEST_SENTENCES,
    NEVER_BEYOND,
    REACHED,
    RISE,
    UNTOLD,
    learning_times,
    of_gains,
    untellable,
)
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import attention as heads
from embryology.specs import grammar as pairs
from embryology.specs import knowledge as facts
from embryology.specs import tokens
from embryology.specs.edges import SPECIFICATION as EDGES

KINDS = ("frequency", "n-grams", "attention", "words", "grammar", "vectors", "facts")
FREQUENCY, NGRAMS, ATTENTION, WORDS, GRAMMAR, VECTORS, FACTS = KINDS
SUBJECT = "nsubj"
"""The relation of a subject to its verb, of Universal Dependencies and of the silver treebank alike."""
COLUMNS = ["kind", "what", "where", "state", "step", "low", "high", *RISE]
Row = tuple[str, str, str, *tuple[float, ...]]
"""``what`` came, in which layer, in which ``state``, at which ``step``, with the ends of its interval; and how
suddenly."""
NO_RISE = (np.nan, np.nan, np.nan)


def read(series: Series, steps: str = "all") -> pd.DataFrame:
    """When each thing came in a series, of all that was measured; the earliest first, then what has no time.

    Args:
        series: measured by some probes.
        steps: which of its checkpoints, as of :func:`embryology.analysis.tables.read`.

    Returns:
        A row a thing: ``kind`` of :data:`KINDS`; ``what``, as the analysis of its probe calls it; ``where``, a layer,
        empty where it is of the model as a whole; ``state``, of
        :mod:`embryology.analysis.learning_order` or a clause that says why there is no time; ``step``, ``low`` and
        ``high`` of the 95% interval, nan where there is no time, infinite where an end is open; ``doublings``,
        ``fewest`` and ``most`` as of :func:`embryology.analysis.learning_order.of_gains`, nan of other times.
    """
    sources: dict[str, Callable[[Series, str], Iterator[Row]]] = {
        FREQUENCY: _frequency,
        NGRAMS: _ngrams,
        ATTENTION: _attention,
        WORDS: _words,
        GRAMMAR: _grammar,
        VECTORS: _vectors,
        FACTS: _facts,
    }
    rows = [(kind, *row) for kind, came in sources.items() for row in came(series, steps)]
    return pd.DataFrame(rows, columns=COLUMNS).sort_values("step", kind="stable", na_position="last", ignore_index=True)


def _timed(times: pd.DataFrame, name: Callable[[str], str] = str, where: str = "") -> Iterator[Row]:
    for what, row in times.iterrows():
        yield name(str(what)), where, row["state"], *(float(row[column]) for column in ("step", "low", "high", *RISE))


def _timeless(what: str, why: str, where: str = "") -> Row:
    return what, where, why, *NO_RISE, *NO_RISE


def _frequency(series: Series, steps: str) -> Iterator[Row]:
    if series.losses is None:
        return
    checkpoints = np.array([checkpoint.step for checkpoint in series.select(steps)])
    told, what = attention.beyond_frequency(series, checkpoints), "the loss falls below frequency alone"
    yield (
        _timeless(what, told)
        if isinstance(told, str)
        else (what, "", REACHED, told["step"], told["low"], told["high"], *NO_RISE)
    )


def _ngrams(series: Series, steps: str) -> Iterator[Row]:
    if isinstance(told := phases.read(series, steps), str):
        return
    for row in told.handovers.itertuples():
        _, one, other, state, step, low, high = row
        if one == phases.UNIGRAM:
            state = REACHED if state == phases.HANDED_OVER else state
            yield other, "", state, step, low, high, *NO_RISE


def _words(series: Series, steps: str) -> Iterator[Row]:
    if measurements.lacking(series, tokens.SPECIFICATION.name):
        return
    frame = tables.read([series], tokens.SPECIFICATION.name, steps)
    times = learning_times(frame, measurements.read_items(series, tokens.SPECIFICATION.name), tokens.RECONSTRUCTION)
    yield from _timed(times, lambda tag: f"{groups(frame)[tag]}s ({tag})")


def _attention(series: Series, steps: str) -> Iterator[Row]:
    if measurements.lacking(series, heads.SPECIFICATION.name):
        return
    frame = tables.read([series], heads.SPECIFICATION.name, steps)
    told = attention.read(series, frame)
    if heads.PREVIOUS in told.patterns:
        layers = told.patterns[heads.PREVIOUS].sort_values("step", kind="stable", na_position="last")
        yield from _timed(layers.head(1), lambda _: "a head attends to the previous token", str(layers.index[0]))
    kept = told.relations[told.relations.index.isin([attention.ALL, SUBJECT])]
    yield from _timed(kept, lambda name: f"a head finds {'subjects' if name == SUBJECT else 'syntactic heads'}")


def _grammar(series: Series, steps: str) -> Iterator[Row]:
    if measurements.lacking(series, pairs.SPECIFICATION.name):
        return
    frame = tables.read([series], pairs.SPECIFICATION.name, steps)
    told = grammar.curves(frame, measurements.read_items(series, pairs.SPECIFICATION.name))
    times = grammar.learning_times(told)
    kept = times.loc[[grammar.ALL, *grammar.phenomena(told.groups)]]
    yield from _timed(kept, lambda group: grammar.label(group) if group else "all minimal pairs")


def _vectors(series: Series, steps: str) -> Iterator[Row]:
    if measurements.lacking(series, EDGES.name):
        return
    frame = tables.read([series], EDGES.name, steps)
    if frame["step"].nunique() < 2:
        return
    layer = edges.best_layer(frame)
    halves = edges.half_gains(frame, layer)
    for task in edges.tasks(frame):
        what, where = edges.label(task), f"layer {layer}"
        reached = task in halves.index
        yield (
            (what, where, REACHED, *halves.loc[task], *NO_RISE)
            if reached
            else _timeless(what, "no gain is shown", where)
        )


def _facts(series: Series, steps: str) -> Iterator[Row]:
    if measurements.lacking(series, facts.SPECIFICATION.name):
        return
    frame = tables.read([series], facts.SPECIFICATION.name, steps)
    name = knowledge.sets(frame)[0]
    what, followed = f"facts ({knowledge.set_label(name)})", knowledge.trajectories(series, name, steps)
    if followed.why_not:
        yield _timeless(what, UNTOLD if followed.chance is None else NEVER_BEYOND)
        return
    paths = followed.paths
    sums, counts = intervals.by_unit(paths.known, paths.clusters)
    weights = np.vstack([np.ones(len(sums)), intervals.resamples(len(sums))])
    values = intervals.bootstrap_means(sums, np.broadcast_to(counts[:, None], sums.shape), weights)[:, None]
    blind = values[..., 0] if not paths.steps[0] else np.zeros((len(weights), 1))
    enough = np.array([len(sums) >= FEWEST_SENTENCES and untellable(frame) is None])
    yield from _timed(of_gains([what], paths.steps, values, blind, enough))
