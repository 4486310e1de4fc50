"""Whether a series has what claims about late training, or about ELECTRA, ask for."""

from embryology.analysis import plateau
from embryology.runs.series import Series


def why_not(series: Series) -> str | None:
    """Why a series has no late phase, as a clause; None where it has one.

    Its held-out loss has to have stopped falling while the rate was constant, by the rule of
    :func:`embryology.analysis.plateau.fall`.
    """
    losses = series.losses
    if losses is None or losses["held_out_masked_loss"].isna().all():
        return "it has no losses, so that whether it was still learning when it ended is not known"
    fell = plateau.fall(losses)
    if fell is None:
        return "it does not end a phase at a constant rate, and a decay makes a plateau by itself"
    if fell.stopped:
        return None
    quarter = "the last quarter at a constant rate"
    if fell.nats is None:
        return f"its held-out loss was evaluated {fell.evaluations} times in {quarter}; it takes {plateau.FEWEST}"
    verb = "may still have fallen" if fell.stopped is None else "still fell"
    return f"its held-out loss {verb} by {fell.nats:.2f} nats in {quarter} ({fell.low:.2f} to {fell.high:.2f})"


def blind_discriminator(series: Series) -> str | None:
    """Why what an ELECTRA learns decides nothing, as a clause: its discriminator tells replaced pieces no better than
    their frequency does. None where it does better, or the model is none."""
    if series.losses is None:
        return "it is an ELECTRA without losses, so that whether its discriminator clears its baseline is not known"
    gains = series.losses["held_out_auc_gain_low"].dropna()
    if gains.empty or not gains.iloc[-1] > 0:
        return "its discriminator does not clear its baseline, the frequency of pieces"
    return None
