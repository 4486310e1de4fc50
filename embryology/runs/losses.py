"""``losses.parquet``: how training went, a row every few steps."""

from typing import Any

import pandas as pd

from embryology.errors import EmbryologyError
from embryology.runs.paths import RunFolder
from embryology.storage.files import read_table, write_table

COLUMNS = {
    "step": "int64",
    "tokens": "int64",
    "phase": "float64",
    "learning_rate": "float64",
    "loss": "float64",
    "masked_loss": "float64",
    "pair_loss": "float64",
    "replaced_loss": "float64",
    "typing_loss": "float64",
    "gradient_norm": "float64",
    "tokens_per_second": "float64",
    "held_out_masked_loss": "float64",
    "held_out_masked_loss_low": "float64",
    "held_out_masked_loss_high": "float64",
    "held_out_masked_accuracy": "float64",
    "held_out_places": "float64",
    "held_out_pair_accuracy": "float64",
    "held_out_pairs": "float64",
    "held_out_surface_accuracy": "float64",
    "held_out_replaced_accuracy": "float64",
    "held_out_original_share": "float64",
    "held_out_pieces": "float64",
    "held_out_replaced_auc": "float64",
    "held_out_frequency_auc": "float64",
    "held_out_auc_gain_low": "float64",
    "held_out_auc_gain_high": "float64",
    "unigram_loss": "float64",
    "unigram_accuracy": "float64",
}
"""Losses in nats and the norm of the gradient before clipping, each the mean over the steps since the row
before; the losses of pairs, of replaced pieces and of latent types are null where a model is not trained on them.
Phases count from 1, and are null in runs from before there were any. Null but at checkpoints: the
held-out values, with the ends of the loss's 95% interval and the numbers of masked places, of pairs and of pieces that
were scored, the baseline of a rule that reads no words of a pair, that of
a discriminator that takes every piece for the original, the areas under the ROC curve of a discriminator and of how
frequent a piece is, with the 95% interval of the difference (bootstrap over sequences), and the unigram baseline at the
masked places."""

LOG_EVERY = 10
"""Steps between two rows, beside those at checkpoints and where a phase ends."""

STALLED_NORM = 0.5
"""Shared layers that give every position the same vector have gradients below this at the unigram line."""


def write(folder: RunFolder, rows: list[dict[str, Any]]) -> None:
    """Replace the table of a run, whole or not at all."""
    write_table(folder.losses, pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS))


def read(folder: RunFolder) -> pd.DataFrame:
    """The table of a run; columns that came later than the run are null.

    Raises:
        EmbryologyError: the folder has none, or a damaged one.
    """
    if not folder.losses.exists():
        raise EmbryologyError(
            f"{folder.root} has no {folder.losses.name}; is it a run? `embryology pretrain` makes one"
        )
    table = read_table(folder.losses).to_pandas()
    return table.reindex(columns=list(dict.fromkeys([*table, *COLUMNS])))
