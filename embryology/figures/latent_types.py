"""In a sentence and a table: what latent types say of part of speech and entities."""

import numpy as np
import pandas as pd
from IPython.display import HTML

from embryology.analysis.latent_types import LABELS
from embryology.figures import style

NOT_RUN = "No run with latent types has been measured."


def sentence(told: pd.DataFrame) -> str:
    """Whether types say more of a label than either baseline, at the last checkpoint; no, and cannot be told.

    Args:
        told: of :func:`embryology.analysis.latent_types.over_seeds`.
    """
    last = _last(told)
    if last.empty:
        return NOT_RUN
    said = []
    for row in last.to_dict("records"):
        if np.isnan(row["low"]):
            what = f"whether types say {LABELS[row['label']]} cannot be told"
        elif row["low"] > 0:
            what = f"types say {LABELS[row['label']]} beyond frequency and chance"
        else:
            what = f"types say no more of {LABELS[row['label']]} than frequency or chance"
        values = f"V-measure {row['value']:.2f}, {row['permuted']:.2f} permuted within sentences"
        said.append(f"{what} ({values}, {row['frequency']:.2f} by frequency)")
    text = f"{'; '.join(said)}; {last['typed'].iloc[0]:.0%} of words have a type, of {last['types'].iloc[0]:.0f}"
    return f"{text[0].upper()}{text[1:]}."


def table(told: pd.DataFrame) -> HTML:
    """The same of all checkpoints."""
    if told.empty:
        return style.table(pd.DataFrame({"latent types": [NOT_RUN]}))
    return style.table(
        pd.DataFrame(
            {
                "step": [f"{step:,.0f}" for step in told["step"]],
                "label": told["label"].map(LABELS),
                "words with a type": [f"{share:.0%}" for share in told["typed"]],
                "types": [f"{types:.0f}" for types in told["types"]],
                "V-measure": [f"{value:.3f}" for value in told["value"]],
                "permuted within sentences": [f"{value:.3f}" for value in told["permuted"]],
                "by frequency": [f"{value:.3f}" for value in told["frequency"]],
                "beyond the larger one, over seeds": [
                    f"{row.beyond:+.3f} ({_ends(row.low, row.high)})" for row in told.itertuples()
                ],
            }
        )
    )


def _ends(low: float, high: float) -> str:
    return "cannot be told" if np.isnan(low) else f"{low:+.3f} to {high:+.3f}"


def _last(told: pd.DataFrame) -> pd.DataFrame:
    return told if told.empty else told[told["step"] == told["step"].max()]
