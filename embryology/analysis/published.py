"""The published reconstruction curves, read off the vector figures of the paper's repository."""

from functools import cache

import numpy as np
import pandas as pd
from scipy import stats

from embryology.analysis import curves, learning_order
from embryology.errors import EmbryologyError
from embryology.runs.paths import STUDIES
from embryology.specs.tokens import RECONSTRUCTION

FOLDER = STUDIES / "published"
MODELS = ("ALBERT", "BERT")
TAG_OF = {
    "conj.": "CC",
    "det.": "DT",
    "prep.": "IN",
    "adj.": "JJ",
    "noun": "NN",
    "proper noun": "NNP",
    "pron.": "PRP",
    "adv.": "RB",
    "verb": "VB",
}


@cache
def reconstruction(model: str = "ALBERT") -> pd.DataFrame:
    """Published accuracy of token reconstruction: a row a Penn tag, a column a step, (9, steps).

    Raises:
        EmbryologyError: the file is missing.
    """
    if model not in MODELS:
        raise ValueError(f"no curves of {model!r} were published; {' and '.join(MODELS)} were")
    file = FOLDER / f"{model.lower()}_reconstruction.csv"
    if not file.is_file():
        raise EmbryologyError(f"{file} is missing; restore it from the repository")
    table = pd.read_csv(file)
    return table.assign(tag=table["series"].map(TAG_OF)).pivot(index="tag", columns="step", values="value")


def learning_times(model: str = "ALBERT") -> pd.DataFrame:
    """Published learning times, as :func:`learning_order.learning_times` but without intervals.

    "Final" is the last step of the figure (30,000 for ALBERT, 60,000 for BERT), not the end of
    pretraining, which is in no figure.
    """
    table = reconstruction(model)
    return learning_order.of_curves(table.columns.to_numpy(), table)


def developmental_age(frame: pd.DataFrame, model: str = "ALBERT") -> pd.DataFrame:
    """For every checkpoint of the first series the published checkpoint that reconstructs the nine groups most alike.

    Args:
        frame: of :func:`embryology.analysis.tables.read`, of the tokens probe.
        model: whose published curves.

    Returns:
        A row a checkpoint: ``step``; ``published_step`` with the smallest mean absolute difference
        over groups; that ``difference``; Spearman's ``rank_correlation`` of the group accuracies
        there, null where either side has all groups equal. No row where the words have no Penn tags.
    """
    by_tag = {tag: curves.curve(frame, RECONSTRUCTION, tag).set_index("step")["value"] for tag in curves.GROUPS}
    measured = pd.DataFrame({tag: values for tag, values in by_tag.items() if len(values)})
    published = reconstruction(model).loc[measured.columns]
    rows = []
    for step, accuracies in measured.iterrows():
        difference = np.abs(published.to_numpy() - accuracies.to_numpy()[:, None]).mean(axis=0)
        nearest = difference.argmin()
        pair = accuracies.to_numpy(), published.iloc[:, nearest].to_numpy()
        ranks = stats.spearmanr(*pair).statistic if all(np.ptp(side) > 0 for side in pair) else np.nan
        rows.append((step, published.columns[nearest], difference[nearest], ranks))
    return pd.DataFrame(rows, columns=["step", "published_step", "difference", "rank_correlation"])
