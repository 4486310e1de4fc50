"""What came out of the variants of one training run, section by section of their page, as sentences.

Each says what differs beyond seeds, what cannot be told, and what has not been run; every number is of the tables.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from IPython.display import Markdown

from embryology.analysis import counterfactual, forgetting, variants, variants_asked
from embryology.analysis.variants import Study
from embryology.analysis.variants_asked import FED, NEIGHBOURS, NOT_RUN, REMEMBERED
from embryology.figures import knowledge_base, latent_types, style

UNTOLD = "cannot be told from what seeds do"
WITHOUT, FLOOR = "without", "floor"


def against_control(study: Study, group: str) -> Markdown:
    """Of every variant of a group how it stands beside its control: tokens to its loss, learning times, final loss.

    Args:
        study: of :func:`embryology.analysis.variants.read`.
        group: of the plan.
    """
    told: dict[str, tuple[pd.DataFrame, Callable[[float], str], str, str]] = {
        "the control's loss": (variants.tokens_to_loss(study), _factor, "sooner", "later"),
        "words": (variants.learning_times(study), _factor, "sooner", "later"),
        "the loss at the end": (variants.final_losses(study), _nats, "lower", "higher"),
    }
    lines = []
    for each in study.variants[study.variants["group"] == group].itertuples():
        if each.preset not in set(study.evaluations["preset"]):
            lines.append(f"- **{each.changed}**: {NOT_RUN}.")
            continue
        parts = [f"{what} {_beside(each.preset, *how)}" for what, how in told.items()]
        lines.append(f"- **{each.changed}**: {'; '.join(parts)}.")
    return Markdown("\n".join(lines))


def _factor(doublings: float) -> str:
    return f"{2**doublings:.2f}"


def _nats(value: float) -> str:
    return f"{value:+.3f} nats"


def _beside(preset: str, table: pd.DataFrame, say: Callable[[float], str], lower: str, higher: str) -> str:
    by_preset = table.set_index("preset")
    if preset not in by_preset.index:
        return "not measured"
    row = by_preset.loc[preset]
    if row["why_not"]:
        return f"cannot be told ({row['why_not']})"
    word = lower if row["high"] < 0 else higher if row["low"] > 0 else UNTOLD
    unit = " times the tokens of the control" if say is _factor else ""
    return f"{word}, {say(row['difference'])} ({say(row['low'])} to {say(row['high'])}){unit}"


def languages(study: Study) -> Markdown:
    """What can be told of each language, and what cannot."""
    table = variants_asked.languages(study).set_index("preset")
    plan = study.plan.set_index("preset")
    (control,) = plan.index[plan["group"] == "control"]
    lines = []
    for preset in plan.index[plan["asked"] == "language"]:
        name = plan.loc[preset, "changed"]
        if preset not in table.index:
            lines.append(f"- **{name}**: {NOT_RUN}.")
            continue
        row = table.loc[preset]
        if row["why_not"]:
            ends = f"how far it ends below the line of its own pieces cannot be told ({row['why_not']})"
        elif row["low"] > 0:
            ends = f"it ends {style.ranged(row, '.2f', ' nats')} below the line of how frequent its own pieces are"
        else:
            ends = f"it is not shown to end below the line of its own pieces, {style.ranged(row, '.2f', ' nats')}"
        if control in table.index and table.loc[control, "low"] > 0 and not row["why_not"]:
            ends += f", as English does by {style.ranged(table.loc[control], '.2f', ' nats')}"
        lines.append(f"- **{name}**: {ends}; {_order(table, preset, control)}.")
    return Markdown("\n".join(lines))


def _order(table: pd.DataFrame, preset: str, control: str) -> str:
    row = table.loc[preset]
    if np.isnan(row["tau"]):
        return (
            f"the order in which its words are learnt cannot be told: {row['groups']} groups of words have a learning "
            f"time in both languages, of {variants_asked.FEWEST_GROUPS} that are needed"
        )
    own = table.loc[control, "tau"]
    beside = f", where seeds of English agree by {own:+.2f}" if np.isfinite(own) else ""
    return f"its {row['groups']} groups of words come in the order of the English ones by tau {row['tau']:+.2f}{beside}"


def continued(study: Study) -> Markdown:
    """What each continued run forgets of its old text, what comes back, and what replay spares."""
    table, spared = variants_asked.forgetting(study), variants_asked.replayed(study)
    lines = []
    for each in study.plan[study.plan["asked"] == "forgetting"].itertuples():
        rows = table[table["preset"] == each.preset]
        if rows.empty:
            lines.append(f"- **{each.changed}**: {NOT_RUN}.")
            continue
        own = spared[spared["preset"] == each.preset]
        lines.append(f"- **{each.changed}**: {_forgotten(rows)}{_spared(own)}.")
    return Markdown("\n".join(lines))


def _forgotten(rows: pd.DataFrame) -> str:
    worse, better = rows[rows["forgotten_low"] > 0], rows[rows["forgotten_high"] < 0]
    parts = []
    for row in worse.to_dict("records"):
        back = f"{_amount(row, 'regained')} regained" if row["regained_low"] > 0 else "none shown to be regained"
        parts.append(f"{row['what']}: {_amount(row, 'forgotten')} forgotten, {back}")
    parts += [f"{row['what']}: better by {_amount(row, 'forgotten', -1)}" for row in better.to_dict("records")]
    between = rows[(rows["forgotten_low"] <= 0) & (rows["forgotten_high"] >= 0)]
    if len(between):
        parts.append(f"nothing is shown to be forgotten of {style.listed(between['what'].tolist())}")
    for reason, unknown in rows[rows["forgotten_low"].isna()].groupby("why_not"):
        parts.append(f"of {style.listed(unknown['what'].tolist())} nothing can be said ({reason})")
    if lacking := [what for what in REMEMBERED if what not in set(rows["what"])]:
        parts.append(f"not measured: {style.listed(lacking)}")
    return "; ".join(parts)


def _amount(row: dict, name: str, sign: int = 1) -> str:
    value, low, high = (sign * row[column] for column in (name, f"{name}_low", f"{name}_high"))
    low, high = min(low, high), max(low, high)
    unit = REMEMBERED[row["what"]]
    if unit.startswith("share"):
        return f"{100 * value:.1f} points ({100 * low:.1f} to {100 * high:.1f})"
    return f"{value:.3f} nats ({low:.3f} to {high:.3f})"


def _spared(rows: pd.DataFrame) -> str:
    """What a run with replay forgets less than the plain one; empty of plain ones."""
    if rows.empty:
        return ""
    less, more = rows[rows["spared_low"] > 0], rows[rows["spared_high"] < 0]
    parts = [f"replay spares {_amount(row, 'spared')} of {row['what']}" for row in less.to_dict("records")]
    parts += [f"replay costs {_amount(row, 'spared', -1)} of {row['what']}" for row in more.to_dict("records")]
    between = len(rows) - len(less) - len(more)
    if between:
        parts.append(f"of {between} measures it cannot be told whether replay spares any")
    return f"; {'; '.join(parts)}"


def fed(study: Study) -> Markdown:
    """Which fed facts are known, what follows from them, and what becomes of facts about the same objects."""
    table = variants_asked.fed_facts(study)
    if (table["why_not"] == NOT_RUN).all():
        return Markdown(f"Made-up facts: {NOT_RUN}.")
    labels = table["relation"].map(FED)
    known, less = table[table["low"] > 0], table[table["high"] < 0]
    between = labels[(table["low"] <= 0) & (table["high"] >= 0)]
    said = [f"{FED[row['relation']]}, {style.ranged(row, '+.2f', ' nats')}" for _, row in known.iterrows()]
    parts = [
        f"Known beyond people who are never told of: {'; '.join(said)}" if said else "No fact is shown to be known"
    ]
    if len(less):
        parts.append(f"less likely than of people never told of: {style.listed(less['relation'].map(FED).tolist())}")
    if len(between):
        parts.append(f"{UNTOLD}: {style.listed(between.tolist())}")
    for reason, rows in table[table["why_not"] != ""].groupby("why_not"):
        parts.append(f"of {style.listed(rows['relation'].map(FED).tolist())} it cannot be said ({reason})")
    return Markdown(f"{'. '.join(part[0].upper() + part[1:] for part in parts)}. {_beside_fed(study)}")


def _beside_fed(study: Study) -> str:
    parts = []
    for _, row in variants_asked.neighbours(study).iterrows():
        amount = style.ranged(row, "+.3f", " nats")
        if row["why_not"]:
            verdict = f"cannot be told ({row['why_not']})"
        elif row["high"] < 0:
            verdict = f"are forgotten: {amount} beside the control"
        elif row["low"] > 0:
            verdict = f"are likelier: {amount} beside the control"
        else:
            verdict = f"{UNTOLD}: {amount} beside the control"
        parts.append(f"{row['what'] if row['what'] == NEIGHBOURS else 'all others'} {verdict}")
    said = "; ".join(parts) or "Facts that were not fed were not measured in the control at the end"
    return f"{said[0].upper()}{said[1:]}."


def never_read(study: Study) -> Markdown:
    """What not reading a thing does to what asks for it, beyond what not reading as much else does."""
    return Markdown(f"{never_read_sentence(study)}.")


def never_read_sentence(study: Study) -> str:
    """Without the full stop."""
    things = variants_asked.things(study)
    if things.empty:
        return f"One thing never read: {NOT_RUN}"
    over = counterfactual.over_things(things)
    if over.empty:
        return f"No item asks for any of {things['query'].nunique()} things, so that nothing can be told of them"
    last = over[over["step"] == over["step"].max()].set_index("of")
    apart = last.loc["difference"]
    without, floor, difference = (
        style.ranged(last.loc[name], "+.3f", " nats") for name in (WITHOUT, FLOOR, "difference")
    )
    changes = (
        f"at step {over['step'].max():,} the log-probability of what asks for one of {int(apart['things'])} things "
        f"changes by {without} where it was never read, and by {floor} where as many other sequences were not"
    )
    own = things[things["step"] == over["step"].max()].dropna(subset=[WITHOUT, "low"])
    outside = int(((own[WITHOUT] < own["low"]) | (own[WITHOUT] > own["high"])).sum())
    changes += f"; each by itself, {outside} of {len(own)} change by more than 95% of all other items do there"
    if not np.isfinite(apart["low"]):
        return f"Whether a thing never read does more than noise cannot be told of so few things: {changes}"
    if apart["low"] <= 0 <= apart["high"]:
        return f"On average no effect of a thing never read is shown beyond noise, {difference}: {changes}"
    way = "less" if apart["high"] < 0 else "more"
    return f"Never read, a thing is {way} likely by {difference} beyond the noise floor: {changes}"


def programs(study: Study) -> Markdown:
    """In which tasks made by program the last start beats scratch in every seed, and in which not."""
    if study.scratch.empty:
        return Markdown(f"Tasks made by program: {NOT_RUN}.")
    parts = []
    for task, rows in study.scratch.groupby("task", sort=False):
        steps = rows["step"].to_numpy(float)
        if np.isnan(steps).any():
            verdict = "cannot be told"
        elif np.isfinite(steps).all():
            verdict = f"better than scratch from step {steps.min():,.0f} to {steps.max():,.0f} on, by seed"
        else:
            verdict = f"better than scratch in {int(np.isfinite(steps).sum())} of {len(steps)} seeds"
        parts.append(f"{task}: {verdict}")
    return Markdown(f"{'; '.join(parts)}.")


def tagged(study: Study) -> Markdown:
    """What fine-tuning for tags forgets by each method, and what it gives to another language."""
    if study.tags.empty:
        return Markdown(f"Fine-tuned without forgetting: {NOT_RUN}.")
    return Markdown(forgetting.said(variants_asked.tags(study)))


def at_hand(study: Study) -> Markdown:
    """What a knowledge base at hand does to the facts that the control gets right."""
    if study.contexts.empty:
        return Markdown(f"A knowledge base at hand: {NOT_RUN}.")
    told = variants_asked.contexts(study)
    return Markdown(f"{knowledge_base.sentence(told)} {_rests(told)}")


def typed(study: Study) -> Markdown:
    """What latent types say of part of speech and entities."""
    if study.types.empty:
        return Markdown(f"Sparse types: {NOT_RUN}.")
    told = variants_asked.types(study)
    return Markdown(f"{latent_types.sentence(told)} {_rests(told)}")


def _rests(told: pd.DataFrame) -> str:
    seeds = int(told["seeds"].max())
    return f"Rests on {style.plural(seeds, 'seed')}{'; 95% t intervals over them' if seeds > 1 else ''}."
