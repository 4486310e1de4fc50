"""Whether a series has what claims about late training, or about ELECTRA, ask for."""

from embryology.analysis import plateau
from embryology.runs.series import Series

STOPPED = 0.02
"""Nats that the held-out loss may still fall by in the last quarter of the steps at a constant rate."""
QUARTER = 0.25
CONSTANT = 0.01
"""By how much of its highest value a rate may differ from it and count as constant."""


def why_not(series: Series) -> str | None:
    """Why a series has no late phase, as a clause; None where it has one.

    Its held-out loss has to have stopped falling while the rate was constant: a decay makes a plateau by itself. The
    quarter begins at the last evaluation that is not behind its beginning.
    """
    losses = plateau.read([series])
    rows = losses.dropna(subset=["held_out_masked_loss"])
    if rows.empty:
        return "it has no losses, so that whether it was still learning when it ended is not known"
    rates = losses.dropna(subset=["learning_rate"])
    rates = rates[(rates["step"] > 0) & (rates["learning_rate"] >= (1 - CONSTANT) * rates["learning_rate"].max())]
    begins, ends = float(rates["step"].min()), float(rates["step"].max())
    constant = rows[rows["step"].between(begins, ends)]
    before = constant.loc[constant["step"] <= (1 - QUARTER) * ends, "held_out_masked_loss"]
    if before.empty or constant["step"].max() <= (1 - QUARTER) * ends:
        return "its rate is not constant for a quarter of its steps, and a decay makes a plateau by itself"
    fell = float(before.iloc[-1] - constant["held_out_masked_loss"].iloc[-1])
    if fell >= STOPPED:
        return f"its held-out loss still fell by {fell:.2f} nats in the last quarter at a constant rate"
    return None


def blind_discriminator(series: Series) -> str | None:
    """Why what an ELECTRA learns decides nothing, as a clause: its discriminator tells replaced pieces no better than
    their frequency does. None where it does better, or the model is none."""
    if series.losses is None:
        return "it is an ELECTRA without losses, so that whether its discriminator clears its baseline is not known"
    gains = series.losses["held_out_auc_gain_low"].dropna()
    if gains.empty or not gains.iloc[-1] > 0:
        return "its discriminator does not clear its baseline, the frequency of pieces"
    return None
