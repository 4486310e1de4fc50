"""What variants are asked beside the loss and learning times of their control: what is forgotten and comes back, which
fed facts are known and what follows from them, what can be told of another language, and what contexts, fine-tuning for
tags and latent types do.

Differences are within a seed (a run at two checkpoints, or two runs that share their beginning), so that seeds differ
less than runs do. Their spread is pooled over all that is compared, as three seeds of each alone would decide nothing.
"""

import itertools

import numpy as np
import pandas as pd
from scipy import stats

from embryology.analysis import knowledge_base, latent_types
from embryology.analysis.learning_order import REACHED
from embryology.analysis.variants import FEWEST, Study

LOSS, RECONSTRUCTED, MASKED = "held-out loss of the old text", "words reconstructed", "masked words"
GRAMMAR, KNOWLEDGE = "grammar", "knowledge"
REMEMBERED = {
    LOSS: "nats",
    RECONSTRUCTED: "share right",
    MASKED: "log-probability, nats",
    GRAMMAR: "share of pairs right",
    KNOWLEDGE: "log-probability of the object, nats",
}
"""What can be forgotten, with its unit."""
NEIGHBOURS, OTHERS = "facts about the same objects", "all other facts"
"""Of the bundled facts, how likely the object is (mean log-probability, nats)."""
FED = {
    "lives": "country as it was fed",
    "works": "work as it was fed",
    "lives-in-other-words": "country in words not fed",
    "works-in-other-words": "work in words not fed",
    "friend-lives": "country of a friend from two fed facts",
    "inhabitant": "inhabitant of a country",
}
"""By relation of the made-up people what it asks."""
NEVER = {"lives-never": "country of people never told of", "works-never": "work of people never told of"}
"""What the others are held against: the same questions about people of whom nothing is read."""
BESIDE = {name: "works-never" if name.startswith("works") else "lives-never" for name in FED}
NOT_RUN = "not run yet"
UNMEASURED = "no gain was measured, as of answers of several pieces"
FEWEST_GROUPS = 5
"""Of words, below which two orders are not held against each other."""


def pooled(values: pd.DataFrame, by: str) -> pd.DataFrame:
    """Means over seeds with simultaneous 95% t intervals (Bonferroni), the spread of seeds pooled over ``by``.

    Args:
        values: ``by`` and ``value``, a row a seed.
        by: the column of what is told.

    Returns:
        A row each, in order: ``by``, ``value``, ``low``, ``high``, ``seeds`` (a tuple of values), and ``why_not``, why
        there is no interval, else empty. What is not measured in every seed has no mean.
    """
    samples = {name: one["value"].to_numpy(float) for name, one in values.groupby(by, sort=False)}
    reasons = {name: _why_not(sample) for name, sample in samples.items()}
    told = [sample for name, sample in samples.items() if not reasons[name]]
    freedom = sum(len(sample) - 1 for sample in told)
    spread = np.sqrt(sum(sample.var(ddof=1) * (len(sample) - 1) for sample in told) / freedom) if told else 0.0
    rows = []
    for name, sample in samples.items():
        reason, half = reasons[name], np.nan
        if not reason and spread == 0:
            reason = "seeds do not differ"
        elif not reason:
            half = stats.t.ppf(1 - 0.025 / len(told), freedom) * spread / np.sqrt(len(sample))
        rows.append((name, sample.mean(), sample.mean() - half, sample.mean() + half, tuple(sample.tolist()), reason))
    return pd.DataFrame(rows, columns=[by, "value", "low", "high", "seeds", "why_not"])


def _why_not(sample: np.ndarray) -> str:
    if not np.isfinite(sample).all():
        return "not measured in every seed"
    return f"fewer than {FEWEST} seeds" if len(sample) < FEWEST else ""


def forgetting(study: Study) -> pd.DataFrame:
    """What each continued run has forgotten of its old text when the other one ends, and what of it comes back.

    Returns:
        A row a preset and what is remembered: ``preset``, ``what``; of ``forgotten`` and ``regained`` the mean over
        seeds in the unit of :data:`REMEMBERED`, with ``_low`` and ``_high``; and ``why_not``. Both are above 0 where
        it gets worse while the other text is read, and better again with the old one. Intervals are simultaneous over
        presets, for each of what is remembered.
    """
    asked = _of(study, "forgetting")
    ends = _ends(asked)
    if ends.empty:
        return pd.DataFrame(columns=["preset", "what", *_columns("forgotten"), *_columns("regained"), "why_not"])
    worse = np.where(ends["what"] == LOSS, 1, -1)
    ends = ends.assign(forgotten=worse * (ends[2] - ends[1]), regained=worse * (ends[2] - ends[3]))
    return _by_what(ends, ("forgotten", "regained"))


def replayed(study: Study) -> pd.DataFrame:
    """How much less is forgotten with replay than plainly, by the same seeds.

    Returns:
        A row a preset with replay and what is remembered: ``preset``, ``what``, ``spared`` with ``_low`` and ``_high``,
        and ``why_not``.
    """
    plain_of = study.plan.loc[study.plan["asked"] == "forgetting"].set_index("preset")["needs"].dropna()
    ends = _ends(_of(study, "forgetting"))
    if not ends.empty:
        ends = ends.assign(forgotten=np.where(ends["what"] == LOSS, 1, -1) * (ends[2] - ends[1]))
        plain = ends[["preset", "seed", "what", "forgotten"]].rename(columns={"preset": "plain", "forgotten": "by_it"})
        ends = ends.assign(plain=ends["preset"].map(plain_of)).merge(plain, on=["plain", "seed", "what"])
    if ends.empty:
        return pd.DataFrame(columns=["preset", "what", *_columns("spared"), "why_not"])
    return _by_what(ends.assign(spared=ends["by_it"] - ends["forgotten"]), ("spared",))


def _columns(name: str) -> list[str]:
    return [name, f"{name}_low", f"{name}_high"]


def _of(study: Study, question: str) -> pd.DataFrame:
    presets = study.plan.loc[study.plan["asked"] == question, "preset"]
    return study.values[study.values["preset"].isin(presets)]


def _ends(values: pd.DataFrame) -> pd.DataFrame:
    """``preset``, ``seed``, ``what`` and a column for each of the three phases: the value at its end, nan where that
    was not measured."""
    ends = values[values["step"] == values.groupby(["preset", "phase"])["step"].transform("max")]
    ends = ends[ends["what"].isin([*REMEMBERED])]
    table = ends.pivot(index=["preset", "seed", "what"], columns="phase", values="value")
    return table.reindex(columns=[1, 2, 3]).reset_index()


def _by_what(ends: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    tables = []
    for what, rows in ends.groupby("what", sort=False):
        told = [pooled(rows.rename(columns={name: "value"}), "preset") for name in names]
        made = told[0][["preset"]].assign(what=what)
        for name, one in zip(names, told, strict=True):
            ends_of = dict(zip(_columns(name), ("value", "low", "high"), strict=True))
            made = made.assign(**{column: one[end] for column, end in ends_of.items()})
        why_not = pd.concat([one["why_not"] for one in told], axis=1)
        tables.append(made.assign(why_not=[next(filter(None, each), "") for each in why_not.to_numpy()]))
    order = {name: at for at, name in enumerate(REMEMBERED)}
    return pd.concat(tables).sort_values("what", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def since_the_old_text(study: Study) -> pd.DataFrame:
    """Of continued runs how what is remembered changes after the old text ends: ``preset``, ``seed``, ``what``,
    ``step``, ``phase``, ``change``."""
    values, on = _of(study, "forgetting"), ["preset", "seed", "what"]
    end = values[values["phase"] == 1].groupby("preset")["step"].max()
    both = values.merge(_ends(values)[[*on, 1]].dropna(), on=on)
    both = both.join(end.rename("end"), on="preset")
    both = both[both["step"] >= both["end"]]
    return both.assign(change=both["value"] - both[1])[[*on, "step", "phase", "change"]]


def fed_facts(study: Study) -> pd.DataFrame:
    """Which facts a run that was fed them knows at its end, and what follows from them.

    Known is told by the gain: how much likelier (nats) an object is with its own subject than with other subjects. It
    is held against the same question about people who are never told of.

    Returns:
        A row for each of :data:`FED`: ``relation``; ``value``, the gain beyond theirs, with ``low`` and ``high``,
        simultaneous over all relations; ``seeds``; and ``why_not``.
    """
    values = _of(study, "facts")
    last = values[values["step"] == values["step"].max()].pivot(index="seed", columns="what", values="value")
    told = [name for name in FED if name in last]
    beyond = [last[name] - last.get(BESIDE[name], np.nan) for name in told]
    rows = [(name, value) for name, one in zip(told, beyond, strict=True) for value in one]
    made = pooled(pd.DataFrame(rows, columns=["relation", "value"]), "relation").set_index("relation").reindex([*FED])
    return made.fillna({"why_not": NOT_RUN if values.empty else UNMEASURED}).reset_index()


def neighbours(study: Study) -> pd.DataFrame:
    """How much likelier the objects of facts that were not fed are at the end than in the control, by the same seeds.

    Returns:
        A row each for :data:`NEIGHBOURS` and :data:`OTHERS`, as of :func:`pooled` by ``what``; below 0 is forgotten.
    """
    beside = beside_the_control(study)
    last = beside[beside["step"] == _of(study, "facts")["step"].max()]
    return pooled(last.rename(columns={"difference": "value"}), "what")


def beside_the_control(study: Study) -> pd.DataFrame:
    """At every checkpoint that both have, the facts that were not fed less the control's: ``preset``, ``seed``,
    ``what``, ``step``, ``difference``."""
    controls = study.plan.set_index("preset")["control"]
    fed = _of(study, "facts")
    fed = fed[fed["what"].isin([NEIGHBOURS, OTHERS])]
    fed = fed.assign(control=fed["preset"].map(controls))
    on = ["control", "seed", "what", "step"]
    other = study.values.rename(columns={"preset": "control", "value": "by_control"})[[*on, "by_control"]]
    both = fed.merge(other, on=on)
    return both.assign(difference=both["value"] - both["by_control"])[["preset", "seed", "what", "step", "difference"]]


def languages(study: Study) -> pd.DataFrame:
    """How far below the line of its own pieces' frequencies each language ends, and whether its words come in the
    order of the control's.

    Losses of other pieces are not held against each other; how far they are below their unigram line tells whether more
    than frequencies is learnt.

    Returns:
        A row a language, that of the control first: ``preset``; ``value`` (nats below), ``low``, ``high``, ``seeds``
        and ``why_not`` as of :func:`pooled`; ``tau``, the mean over pairs of seeds of Kendall's between learning times
        in tokens with those of the control (of the control: between its own seeds), of ``groups`` of words, nan for
        fewer than :data:`FEWEST_GROUPS`, as where words are grouped by other tags.
    """
    presets = study.plan.loc[study.plan["asked"] == "language", "preset"].tolist()
    (control,) = study.plan.loc[study.plan["group"] == "control", "preset"]
    last = study.evaluations[study.evaluations["preset"].isin([control, *presets])]
    last = last.sort_values("step").groupby(["preset", "seed"], as_index=False).last()
    last = last.assign(value=last["unigram_loss"] - last["held_out_masked_loss"])
    told = pooled(last, "preset").set_index("preset")
    order = [name for name in (control, *presets) if name in told.index]
    taus = {name: _order(study, control, name) for name in order}
    return told.loc[order].assign(tau=[taus[n][0] for n in order], groups=[taus[n][1] for n in order]).reset_index()


def _order(study: Study, control: str, preset: str) -> tuple[float, int]:
    """Kendall's tau of the learning times of two presets, and of how many groups of words."""
    reached = study.times[study.times["state"] == REACHED]
    ours, theirs = (
        reached[reached["preset"] == name].pivot(index="group", columns="seed", values="own_tokens").dropna()
        for name in (preset, control)
    )
    groups = ours.index.intersection(theirs.index)
    if preset == control:
        pairs = list(itertools.combinations(ours.columns, 2))
    else:
        pairs = list(itertools.product(ours.columns, theirs.columns))
    if len(groups) < FEWEST_GROUPS or not pairs:
        return np.nan, len(groups)
    taus = [stats.kendalltau(ours.loc[groups, one], theirs.loc[groups, other]).statistic for one, other in pairs]
    return float(np.mean(taus)), len(groups)


def things(study: Study) -> pd.DataFrame:
    """Of each thing never read and checkpoint the mean over seeds of the control: columns as of
    :func:`embryology.analysis.counterfactual.of_things`, and ``seeds``, how many."""
    told = study.things.drop(columns="seed")
    counts = told.groupby(["query", "step"], sort=False).size().rename("seeds")
    return told.groupby(["query", "step"], sort=False).mean().join(counts).reset_index()


def contexts(study: Study) -> pd.DataFrame:
    """What a knowledge base at hand does to the control's facts, of :func:`knowledge_base.over_seeds`."""
    return knowledge_base.over_seeds(_by_seed(study.contexts))


def types(study: Study) -> pd.DataFrame:
    """What latent types say of labels, of :func:`latent_types.over_seeds`."""
    return latent_types.over_seeds(_by_seed(study.types))


def _by_seed(table: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """The rows of one preset by its seeds; the empty table itself where there are none."""
    own = {int(seed): rows.drop(columns=["preset", "seed"]) for seed, rows in table.groupby("seed")}
    return own or {0: table.drop(columns=["preset", "seed"])}


def tags(study: Study) -> pd.DataFrame:
    """Rows of the forgetting probe as :mod:`embryology.analysis.forgetting` takes them: a series a run, and as ``seed``
    that of fine-tuning."""
    rows = study.tags
    return rows.assign(series=rows["preset"] + "-seed" + rows["seed"].astype(str), seed=rows["tuning"])
