"""Made-up runs that claims are asked of."""

import shutil

import numpy as np
import pandas as pd
import yaml

from embryology.runs import losses
from embryology.runs.series import Series
from tests.synthetic import STEPS, _downstream, make_run, measure

AFTER = "2030-01-01T00:00:00+00:00"


def seed(root, number):
    """One of a recipe whose seeds learn at times and to scores of their own, trained to a plateau after the rules."""
    made = make_run(
        root / f"seed{number}",
        sentences=40,
        factor=1 + 0.1 * number,
        seed=number,
        outcome={"seed": number},
        weights=lambda step: 1000 * (number + 1) + step,
    )
    plateau(made)
    return said(made, sessions=AFTER)


def said(series, sessions=None, **outcome):
    """With another beginning, or another outcome."""
    manifest = yaml.safe_load(series.folder.manifest.read_text())
    if sessions:
        manifest["sessions"][0]["started"] = sessions
    manifest["outcome"] |= outcome
    series.folder.manifest.write_text(yaml.safe_dump(manifest))
    return Series.open(series.folder.root)


def copy(series, to, name=None, other_weights=False):
    made = Series.open(shutil.copytree(series.folder.root, to / (name or series.name)))
    for file in made.folder.measurements.glob("*/*/*.parquet") if other_weights else ():
        frame = pd.read_parquet(file)
        frame.assign(key=frame["key"] + name).to_parquet(file)
    return made


def plateau(series, fall=0.0, rate=lambda step: 1e-3, decays_after=2000):
    """Losses that fall by so much in the last quarter, in even steps."""
    rows = losses.read(series.folder)
    step = rows["step"].to_numpy(float)
    loss = 5 + np.maximum(1200 - step, 0) / 500 - fall * np.clip((step - 1500) / 500, 0, 1)
    evaluated = rows["held_out_masked_loss"].notna() | (step >= 1500)
    rows["held_out_masked_loss"] = np.where(evaluated, loss, np.nan)
    rows["learning_rate"] = [rate(each) for each in step]
    rows["phase"] = np.where(step <= decays_after, 1, 2)
    losses.write(series.folder, rows.to_dict("records"))


def fine_tuned(series, curve, noise=0.0):
    """Let a run's fine-tuning score what a curve says, and let each seed of it differ by so much."""
    for step in STEPS:
        rows = []
        for row in _downstream(step, True):
            if row["metric"] == "score" and row["baseline"] is None:
                value = curve(step) + noise
                row |= {"value": value, "low": value - 0.02, "high": value + 0.02}
            rows.append(row)
        items = pd.DataFrame({"item_id": ["RTE:dev:1"], "task": ["RTE"], "seed": [0], "correct": [True]})
        measure(series.folder, "finetune", step, rows, items.assign(source="made-up tasks"))


def early(step):
    return 0.4 + 0.4 * min(step / 160, 1.0)
