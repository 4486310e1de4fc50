"""How far a model's predictions are from those of n-grams of its training text."""

import pandas as pd
from IPython.display import HTML

from embryology.analysis.divergence import BIGRAMS, Divergence
from embryology.figures import style
from embryology.specs.divergence import ELSEWHERE, LEFT, REFERENCES, RIGHT, SPECIFICATION, UNIGRAM

NAMES = {
    UNIGRAM: "frequency of pieces",
    LEFT: "bigram with the piece before",
    RIGHT: "bigram with the piece after",
}
SIDES = {LEFT: "the piece before", RIGHT: "the piece after"}


@style.styled
def curves(of: Divergence | str, series: str) -> HTML:
    """The divergence of each n-gram over steps.

    Args:
        of: of :func:`embryology.analysis.divergence.read`.
        series: what the run is called.
    """
    if isinstance(of, str):
        return style.paragraph(f"Not told for {series}: {of}.")
    figure, (axis,) = style.panels(1, 1, 7.5, 4.4)
    drawn = []
    for name, line in zip(REFERENCES, style.LINES, strict=False):
        style.curve(axis, of.curves[name], line, NAMES[name])
        drawn.append(of.curves[name].assign(reference=name))
    for name, dashes in zip(BIGRAMS, (style.DOTTED, style.DASHED), strict=True):
        rows, label = of.elsewhere[name], f"{SIDES[name]}, of another place"
        style.curve(axis, rows, (style.INK, "", dashes), label, band=False)
        drawn.append(rows.assign(reference=name, baseline=ELSEWHERE))
    style.training_axis(axis, of.curves[UNIGRAM]["step"].to_numpy(), "training step")
    axis.set_ylabel("divergence, nats")
    axis.set_ylim(bottom=0)
    style.legend(figure, [axis], 2)
    answer = _answer(of)
    places = int(of.curves[UNIGRAM]["n"].iloc[0])
    return style.show(
        figure,
        "divergence",
        answer,
        pd.concat(drawn, ignore_index=True),
        f"Whose predictions are the model's like? Kullback-Leibler divergence of n-grams of the training text from the "
        f"predictions of {series} for {places:,} masked pieces, one in a held-out sentence. Bands: 95% over sentences. "
        f"Black: {SPECIFICATION.baselines[ELSEWHERE]}.",
        f"A line chart of divergence over training steps, three n-grams and two baselines. {answer}.",
    )


def _answer(of: Divergence) -> str:
    """Which neighbours predictions follow, and whether more than how frequent pieces are."""
    own = _since(of.own)
    if not own:
        return "No neighbour is shown to matter at the end"
    closer = _since(of.closer)
    least = f"closer than frequency: {style.listed(closer)}" if closer else "none closer than frequency at the end"
    return f"Predictions follow {style.listed(own)}; {least}"


def _since(steps: dict[str, int | None]) -> list[str]:
    return [f"{SIDES[name]} from step {step:,}" for name, step in steps.items() if step is not None]


def sentence(of: Divergence | str) -> str:
    """What the page says: when each n-gram is closest, how close, and which neighbours predictions follow."""
    if isinstance(of, str):
        return f"How far its predictions are from those of n-grams is not told: {of}."
    said = []
    for name, rows in of.curves.items():
        least = rows.set_index("step").loc[of.closest[name]]
        where = "the last checkpoint" if of.closest[name] == rows["step"].iloc[-1] else f"step {of.closest[name]:,}"
        said.append(f"the {NAMES[name]} at {where} ({style.ranged(least, '.2f', ' nats')})")
    return f"Predictions are closest to {style.listed(said)}. {_answer(of)}."
