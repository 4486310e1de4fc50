"""Variants of one training run: what each does to the loss and to every learning time, beyond what seeds do.

A variant differs from its control in one part. It is held against it by Dunnett's (1955) simultaneous intervals, with
the spread of seeds pooled over all variants of that control: three seeds of each alone would decide nothing.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from embryology.analysis.crossings import lasting
from embryology.analysis.learning_order import REACHED
from embryology.runs.paths import STUDIES
from embryology.storage.files import read_table, read_yaml

FOLDER = STUDIES / "variants"
PLAN, MADE = "variants.yaml", "study.yaml"
EVALUATIONS = {
    "preset": "string",
    "seed": "int64",
    "step": "int64",
    "own_tokens": "float64",
    "all_tokens": "float64",
    "flops": "float64",
    "held_out_masked_loss": "float64",
    "unigram_loss": "float64",
}
"""A row an evaluation. Tokens of the run's own text (of a mixture its share of the sequences), and all that were read,
those of a smaller run that it is grown from and of other texts included, as FLOPs are those of all steps."""
TIMES = {"preset": "string", "seed": "int64", "group": "string", "state": "string", "own_tokens": "float64"}
"""A row a group of words: the state of its learning time (:mod:`embryology.analysis.learning_order`), and after how
many tokens of the own text it is, null unless reached."""
SCRATCH = {"preset": "string", "seed": "int64", "task": "string", "step": "float64", "tau": "float64"}
"""A row a task made by program, of :mod:`embryology.analysis.scratch`."""
VALUES = {
    "preset": "string",
    "seed": "int64",
    "phase": "int64",
    "step": "int64",
    "what": "string",
    "value": "float64",
}
"""A row a checkpoint, which phase of the run it is of, and what was measured there
(:mod:`embryology.analysis.variants_asked`)."""
THINGS = {
    "seed": "int64",
    "query": "string",
    "sequences": "int64",
    "masked": "int64",
    "first": "int64",
    "step": "int64",
    "items": "int64",
    "without": "float64",
    "floor": "float64",
    "low": "float64",
    "high": "float64",
}
"""A row a thing never read, seed of the control and checkpoint, as :mod:`embryology.analysis.counterfactual` tells."""
CONTEXTS = {
    "preset": "string",
    "seed": "int64",
    "set": "string",
    "context": "string",
    "facts": "string",
    "measure": "string",
    "step": "int64",
    "n": "int64",
    "in_context": "float64",
    "without": "float64",
    "with": "float64",
    "wrong": "float64",
    "more": "float64",
    "more_low": "float64",
    "more_high": "float64",
    "beyond": "float64",
    "beyond_low": "float64",
    "beyond_high": "float64",
}
"""Of the control, as :func:`embryology.analysis.knowledge_base.beside_plain` tells."""
TAGS = {
    "preset": "string",
    "seed": "int64",
    "step": "int64",
    "task": "string",
    "group": "string",
    "metric": "string",
    "tuning": "int64",
    "baseline": "string",
    "value": "float64",
}
"""A row of the forgetting probe; ``tuning`` is its seed of fine-tuning, ``seed`` that of the run."""
TYPES = {
    "preset": "string",
    "seed": "int64",
    "step": "int64",
    "label": "string",
    "words": "int64",
    "types": "int64",
    "typed": "float64",
    "value": "float64",
    "permuted": "float64",
    "frequency": "float64",
}
"""A row a checkpoint and label, of :func:`embryology.analysis.purity.purity`."""
TABLES = {
    "evaluations": EVALUATIONS,
    "times": TIMES,
    "scratch": SCRATCH,
    "values": VALUES,
    "things": THINGS,
    "contexts": CONTEXTS,
    "tags": TAGS,
    "types": TYPES,
}
MEASURES = ("own_tokens", "all_tokens", "flops")
LEVEL_AT = 0.75
"""Of the control's text: the loss it has there is the one to be reached, as every seed of it passes that one."""
FEWEST = 2
"""Seeds."""


@dataclass(frozen=True)
class Study:
    plan: pd.DataFrame
    """``preset``, ``control`` (null of controls, and of what reads or is asked something else), ``group``, ``changed``,
    ``asked`` (the question of its own that a preset has beside its control's, else null), in the order of the
    chapter."""
    evaluations: pd.DataFrame
    times: pd.DataFrame
    scratch: pd.DataFrame
    values: pd.DataFrame
    things: pd.DataFrame
    contexts: pd.DataFrame
    tags: pd.DataFrame
    types: pd.DataFrame
    made: dict[str, str]
    """The command that collected it, the machine and the versions."""

    @property
    def variants(self) -> pd.DataFrame:
        """What of the plan is held against a control that reads the same text in the same pieces."""
        return self.plan[self.plan["control"].notna()].reset_index(drop=True)

    @property
    def planned(self) -> pd.DataFrame:
        """All variants: the plan without controls and without what others are grown from."""
        return self.plan[self.plan["control"].notna() | self.plan["asked"].notna()].reset_index(drop=True)

    def lacking(self) -> list[str]:
        """Presets of the plan that have not been run yet, or with fewer than :data:`FEWEST` seeds."""
        seeds = self.evaluations.groupby("preset")["seed"].nunique()
        return [name for name in self.plan["preset"] if seeds.get(name, 0) < FEWEST]


def read(folder: Path = FOLDER) -> Study:
    """What was planned, and what of it was run and collected; tables that are not there are empty."""
    tables = {
        name: read_table(file).to_pandas()
        if (file := folder / f"{name}.parquet").is_file()
        else pd.DataFrame(columns=list(columns)).astype(columns)
        for name, columns in TABLES.items()
    }
    made = folder / MADE
    return Study(pd.DataFrame(read_yaml(FOLDER / PLAN)), **tables, made=read_yaml(made) if made.is_file() else {})


def reaching(study: Study) -> pd.DataFrame:
    """What each run has read and computed when its held-out masked loss falls, for good, to the control's.

    That is the mean over the control's seeds at :data:`LEVEL_AT` of its own text. Where a loss falls below it is told
    by the falling fit (:func:`embryology.analysis.crossings.lasting`), linear between checkpoints.

    Returns:
        ``control``, ``preset``, ``seed`` and :data:`MEASURES`: infinite where a run never gets there. A control
        stands with itself.
    """
    rows = []
    by_preset = dict(list(study.evaluations.groupby("preset")))
    for control, presets in _compared(study):
        if control not in by_preset:
            continue
        ends = by_preset[control].groupby("seed")["own_tokens"].max()
        asked = LEVEL_AT * ends.mean()
        level = np.mean([_at(run, "held_out_masked_loss", asked) for _, run in _runs(by_preset[control])])
        for preset in presets:
            for seed, run in _runs(by_preset.get(preset, study.evaluations[:0])):
                tokens, losses = run["own_tokens"].to_numpy(), run["held_out_masked_loss"].to_numpy()
                own = float(lasting(tokens, -losses[None], np.array([-level]))[0])
                own = tokens[0] if own == -np.inf else own
                never = np.isinf(own)
                values = {name: np.inf if never else _at(run, name, own) for name in MEASURES}
                rows.append({"control": control, "preset": preset, "seed": seed} | values)
    return pd.DataFrame(rows, columns=["control", "preset", "seed", *MEASURES])


def _compared(study: Study) -> list[tuple[str, list[str]]]:
    """Every control with itself and its variants."""
    variants = study.variants
    return [(str(control), [str(control), *own["preset"]]) for control, own in variants.groupby("control", sort=False)]


def _runs(evaluations: pd.DataFrame) -> list[tuple[int, pd.DataFrame]]:
    """By seed the evaluations of a preset, rising, from the last before its own text is read on."""
    return [
        (int(seed), (rows := run.sort_values("step"))[~rows["own_tokens"].duplicated(keep="last")])
        for seed, run in evaluations.groupby("seed")
    ]


def _at(run: pd.DataFrame, column: str, own_tokens: float) -> float:
    return float(np.interp(own_tokens, run["own_tokens"], run[column]))


def tokens_to_loss(study: Study, measure: str = "own_tokens") -> pd.DataFrame:
    """:func:`against_control` of log2 of what :func:`reaching` tells: -1 is half of what the control takes."""
    reached = reaching(study)
    with np.errstate(divide="ignore"):
        return against_control(reached.assign(value=np.log2(reached[measure])))


def final_losses(study: Study) -> pd.DataFrame:
    """:func:`against_control` of the held-out masked loss at the end (nats)."""
    last = study.evaluations.sort_values("step").groupby(["preset", "seed"], as_index=False).last()
    return against_control(_with_controls(study, last.assign(value=last["held_out_masked_loss"])))


def shifts(study: Study) -> pd.DataFrame:
    """Of every group of words by how many doublings of tokens its learning time shifts, seed by seed.

    Returns:
        ``control``, ``preset``, ``seed``, ``group`` and ``value``: log2 of the tokens less the mean of the control's
        seeds, nan where it is not reached; groups that every seed of the control reaches.
    """
    times = study.times.assign(value=np.log2(study.times["own_tokens"].where(study.times["state"] == REACHED)))
    times = _with_controls(study, times)
    own = times[times["preset"] == times["control"]]
    means = own.groupby(["control", "group"])["value"].agg(lambda values: np.mean(values.to_numpy()))
    known = times.join(means.rename("mean"), on=["control", "group"])
    known = known[known["mean"].notna()]
    return known.assign(value=known["value"] - known["mean"])[["control", "preset", "seed", "group", "value"]]


def learning_times(study: Study) -> pd.DataFrame:
    """:func:`against_control` of the mean of :func:`shifts` over groups that every seed of a variant reaches; with
    ``groups``, how many those are, and ``of``, how many the control reaches."""
    told = shifts(study)
    reached = told.groupby(["control", "preset", "group"])["value"].transform(lambda values: values.notna().all())
    means = told[reached.astype(bool)].groupby(["control", "preset", "seed"], as_index=False)["value"].mean()
    table = against_control(means)
    counts = told.assign(reached=reached).groupby(["control", "preset", "group"], as_index=False)["reached"].all()
    by_preset = counts.groupby("preset")["reached"].agg(groups="sum", of="size")
    return table.join(by_preset, on="preset")


def _with_controls(study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    """``rows`` by preset, each with its ``control``; a control's with itself."""
    pairs = [(control, preset) for control, presets in _compared(study) for preset in presets]
    return rows.merge(pd.DataFrame(pairs, columns=["control", "preset"]), on="preset")


def against_control(values: pd.DataFrame) -> pd.DataFrame:
    """How far each variant's mean over seeds is from its control's.

    Args:
        values: ``control``, ``preset``, ``seed``, ``value``; a control's rows name it as both.

    Returns:
        A row a variant: ``control``, ``preset``; ``difference`` with ``low`` and ``high``, simultaneous 95% intervals
        of Dunnett over all variants of that control, nan where it cannot be told; ``seeds``, a tuple with the
        difference of each seed from the control's mean; and ``why_not``, why there is none, else empty.
    """
    rows = []
    for control, group in values.groupby("control", sort=False):
        samples = {
            name: one.sort_values("seed")["value"].to_numpy() for name, one in group.groupby("preset", sort=False)
        }
        own = samples.pop(control, np.empty(0))
        reasons = {name: _why_not(own, sample) for name, sample in samples.items()}
        told = [name for name, reason in reasons.items() if not reason]
        bounds = {}
        if told:
            compared = stats.dunnett(*(samples[name] for name in told), control=own, rng=np.random.default_rng(0))
            interval = compared.confidence_interval(0.95)
            bounds = dict(zip(told, zip(interval.low, interval.high, strict=True), strict=True))
        center = own.mean() if len(own) and np.isfinite(own).all() else np.nan
        for name, sample in samples.items():
            low, high = bounds.get(name, (np.nan, np.nan))
            difference = sample.mean() - center if name in bounds else np.nan
            seeds = tuple((sample - center).tolist())
            row = {"control": control, "preset": name, "difference": difference, "low": low, "high": high}
            rows.append(row | {"seeds": seeds, "why_not": reasons[name]})
    return pd.DataFrame(rows, columns=["control", "preset", "difference", "low", "high", "seeds", "why_not"])


def _why_not(control: np.ndarray, sample: np.ndarray) -> str:
    if len(control) < FEWEST or len(sample) < FEWEST:
        return f"fewer than {FEWEST} seeds"
    if not np.isfinite(control).all():
        return "not every seed of the control gets there"
    if missing := int(np.sum(~np.isfinite(sample))):
        return f"{missing} of {len(sample)} seeds do not get there"
    return "" if np.ptp(np.concatenate([control - control.mean(), sample - sample.mean()])) else "seeds do not differ"
