"""What latent types say over seeds, of :mod:`embryology.analysis.purity`; pages read it, and need no scikit-learn."""

import pandas as pd

from embryology.analysis.means import over_units

LABELS = {"tag": "part of speech", "entity": "entity"}


def over_seeds(tables: dict[int, pd.DataFrame]) -> pd.DataFrame:
    """:func:`embryology.analysis.purity.purity` of several seeds as one.

    Args:
        tables: by seed; with a column ``step`` if they are of several checkpoints.

    Returns:
        Means of all columns, ``seeds``, and ``beyond`` with ``low`` and ``high``: V-measure less the larger baseline,
        with its 95% t interval over seeds, nan for fewer than three.
    """
    together = pd.concat(tables.values(), ignore_index=True)
    together["beyond"] = together["value"] - together[["permuted", "frequency"]].max(axis=1)
    names = [name for name in ("step", "label") if name in together]
    groups = together.groupby(names, sort=False)
    means, count = groups.mean(), groups.size()
    told = over_units(together, names, "beyond")
    return means.assign(low=told["low"].to_numpy(), high=told["high"].to_numpy(), seeds=count).reset_index()
