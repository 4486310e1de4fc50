"""In a table: what fine-tuning for tags forgets, and gives to another language, by the checkpoint it starts from."""

import numpy as np
import pandas as pd
from IPython.display import HTML

from embryology.analysis import forgetting
from embryology.figures import style
from embryology.specs.forgetting import ACCURACY, FORGOTTEN, LEARNT, OTHER, SPECIFICATION

NOT_MEASURED = "No run has been fine-tuned without forgetting."


def table(frame: pd.DataFrame) -> HTML:
    """A row a checkpoint and method: what is lost of the masked loss, and how many tags are told in both languages.

    Args:
        frame: as of :func:`embryology.analysis.forgetting.by_checkpoint`.
    """
    if frame.empty:
        return style.table(pd.DataFrame({"fine-tuned without forgetting": [NOT_MEASURED]}))
    told = forgetting.by_checkpoint(frame).set_index(["step", "task", "metric", "group"])
    keys = [(step, task) for step in sorted(frame["step"].unique()) for task in SPECIFICATION.tasks]
    rows = []
    for step, task in keys:
        cells = {
            "masked loss, nats more": _said(told, (step, task, FORGOTTEN, forgetting.ALL), "+.3f"),
            "tags of the language learnt": _said(told, (step, task, ACCURACY, LEARNT), ".1f", 100),
            "tags of the other language": _said(told, (step, task, ACCURACY, OTHER), ".1f", 100),
        }
        rows.append({"from step": f"{step:,}", "method": SPECIFICATION.tasks[task]} | cells)
    return style.table(pd.DataFrame(rows))


def _said(told: pd.DataFrame, key: tuple[int, str, str, str], form: str, scale: float = 1) -> str:
    """A mean with its interval; of accuracies, in percent, beside the most frequent tag."""
    if key not in told.index:
        return "not asked"
    row = told.loc[key]
    blind = f"; most frequent tag {scale * row['majority']:.1f}%" if np.isfinite(row["majority"]) else ""
    return f"{style.ranged(row, form, '%' if scale == 100 else '', scale)}{blind}"
