"""The book's front page: the learning order, and what was found, of a series of which anything may be unmeasured."""

import pandas as pd
from IPython.display import HTML, Markdown

from embryology.analysis import beyond_frequency, edges, plateau, tables
from embryology.analysis.beyond_frequency import TYPE
from embryology.analysis.learning_order import learning_times, ranks
from embryology.figures import answers, frequency_of_runs, learning_order, pretraining, provenance, style
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs.edges import SPECIFICATION as EDGES
from embryology.specs.tokens import RECONSTRUCTION, SPECIFICATION


def order(series: Series, steps: str = "all") -> HTML:
    """The figure of the learning order, or a sentence that says why there is none.

    Args:
        series: the one that is reported on.
        steps: which of its checkpoints, as of :func:`embryology.analysis.tables.read`.
    """
    provenance.note([series], SPECIFICATION.name)
    reason = measurements.lacking(series, SPECIFICATION.name)
    if reason:
        return style.paragraph(f"Not drawn for {series.name}: {reason}.")
    return learning_order.learning_order(*_learnt(series, steps))


def findings(series: Series, steps: str = "all") -> Markdown:
    """What was found in a series, a bullet each for what was measured; arguments as of :func:`order`."""
    losses = plateau.read([series], steps)
    bullets = []
    if measurements.lacking(series, SPECIFICATION.name) and measurements.lacking(series, EDGES.name) is None:
        bullets.append(_read_from_vectors(series, steps))
    if measurements.lacking(series, SPECIFICATION.name) is None:
        frame, times, _ = _learnt(series, steps)
        values = learning_order.numbers(frame, times)
        first, order = f"After {_read(series, frame, losses)}, of words that are given, {values['learnt']}.", []
        if ranks(times[RECONSTRUCTION]):
            first += f" Halfway from their best blind answer to their final accuracy come {values['order_names']}."
            order = [
                f"The published order is {values['published_names']}. The two have {values['albert_agreement']}. By "
                f"the published definition, half of the final accuracy, it has {values['half_agreement']} with it."
            ]
        bullets += [
            first,
            *order,
            frequency_of_runs.beside_it(beyond_frequency.brief(series, steps, [TYPE])),
            f"The best group ends at {values['best_accuracy']} ({values['best']}), the worst at "
            f"{values['worst_accuracy']} ({values['worst']})."
            if values["best"] != values["worst"]
            else f"All groups end at {values['best_accuracy']}.",
            f"Of words that are *masked*, {values['mask_learnt']}.",
        ]
    if len(losses):
        values = pretraining.numbers(losses)
        bullets.append(f"On text it never saw, {values['plateau']}; it ends {values['unigram_gap']} that line.")
    return Markdown("\n".join(f"- {bullet}" for bullet in bullets) or "Neither its losses nor its words were measured.")


def answer(series: Series, steps: str = "all") -> Markdown:
    """What a run learnt, a bullet each for what was measured; arguments as of :func:`order`."""
    found = findings(series, steps).data
    return Markdown(f"**What did {series.name} learn?**\n\n{found}\n\n*{answers.of_one(series, 'items')}.*")


def _read_from_vectors(series: Series, steps: str) -> str:
    """What linear classifiers tell, of a model that cannot be asked for words."""
    frame = tables.read([series], EDGES.name, steps)
    layer, tasks = edges.best_layer(frame), edges.tasks(frame)
    above = [edges.label(task) for task in tasks if all(edges.beyond(frame, task, layer).values())]
    named = f": {style.listed(above)}" if above else ""
    return (
        f"Its words cannot be told. Of {len(tasks)} tasks whose labels linear classifiers read from its layer {layer}, "
        f"{len(above)} end above every baseline{named}."
    )


def _learnt(series: Series, steps: str) -> tuple[pd.DataFrame, dict[str, pd.DataFrame], pd.DataFrame]:
    """The accuracies of the tokens probe, learning times by task, and the items behind them."""
    frame = tables.read([series], SPECIFICATION.name, steps)
    items = measurements.read_items(series, SPECIFICATION.name)
    times = {task: learning_times(frame, items, task) for task in SPECIFICATION.tasks}
    return frame, times, items


def _read(series: Series, frame: pd.DataFrame, losses: pd.DataFrame) -> str:
    """How long the model was trained at the last checkpoint: steps or what is counted instead, tokens if known."""
    if len(losses):
        values = pretraining.numbers(losses)
        return f"{values['steps']} steps ({values['tokens']} tokens)"
    last = frame.loc[frame["step"].idxmax()]
    tokens = f" ({last['tokens']:,.0f} tokens)" if pd.notna(last["tokens"]) else ""
    if series.unit == "order":
        return f"{frame['step'].nunique()} checkpoints"
    return f"{last['step']:,} {'steps' if series.unit == 'step' else series.unit}{tokens}"
