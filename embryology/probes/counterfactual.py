"""``embryology counterfactual``: training replayed without one thing, held against the run that read it.

From a checkpoint on whose state is kept the run is trained twice more: once with held-back sequences in the place of
those that hold the thing, once with the same ones in the place of as many others of the same batches, which is the
noise floor. All items that the run was measured on are measured again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console

from embryology import presets
from embryology.corpus import several
from embryology.errors import EmbryologyError
from embryology.probes.runner import run_probes
from embryology.runs import counterfactuals, losses, measurements
from embryology.runs.counterfactuals import FLOOR, WITHOUT
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.specs import grammar, knowledge, registry, tokens
from embryology.storage.files import read_json, removed_whole, sha256_of

if TYPE_CHECKING:
    from embryology.pretraining.without import Plan, Query

VALUES = {
    tokens.SPECIFICATION.name: "log_probability",
    knowledge.SPECIFICATION.name: "log_probability",
    grammar.SPECIFICATION.name: "difference",
}
"""By probe the column that says how likely an item is."""
SAME = ("masked_loss", "pair_loss", "gradient_norm")
"""Of the rows of losses, what must be the same bit for bit where the same was read."""


def counterfactual(
    series: Series,
    asked: Sequence[str],
    start: int,
    console: Console,
    until: int | None = None,
    probes: Sequence[str] | None = None,
    keep: bool = False,
) -> list[Path]:
    """Measure what a run would be that had not read some things, each by itself; what was measured before is skipped.

    Args:
        series: a run that keeps the state of ``start``.
        asked: the things, as of :meth:`embryology.pretraining.without.Query.parse`.
        start: the step from which training is replayed.
        console: where progress is shown.
        until: the checkpoint at which it ends; None is the last.
        probes: of :data:`VALUES`; None takes all that have measured the run.
        keep: whether the replayed runs stay, with their checkpoints.

    Returns:
        The tables, a thing each, of :mod:`embryology.runs.counterfactuals`.

    Raises:
        EmbryologyError: a thing is never read, cannot be replaced or is no query, the run keeps no state of ``start``
            or was not measured, or training on this machine does not repeat it.
    """
    replay = _Replay(series, start, until, probes, console, keep)
    return replay.all(asked)


class _Replay:
    """A run from a step on, again and again."""

    def __init__(
        self,
        series: Series,
        start: int,
        until: int | None,
        probes: Sequence[str] | None,
        console: Console,
        keep: bool,
    ):
        if series.manifest is None or series.is_frozen:
            raise EmbryologyError(
                f"{series.name} is no run with its checkpoints and states, so that nothing is replayed"
            )
        self.series, self.manifest, self.outcome = series, series.manifest, series.manifest.outcome
        self.start, self.console, self.keep = start, console, keep
        steps = [each.step for each in series.checkpoints]
        self.until = steps[-1] if until is None else until
        if self.until not in steps or self.until <= start:
            after = ", ".join(str(step) for step in steps if step > start) or "none"
            raise EmbryologyError(
                f"--until {self.until} is no checkpoint of {series.name} after {start}; there are: {after}"
            )
        self.standing = self._standing(probes)
        self.folder = counterfactuals.folder(series, start)
        self.say = partial(console.print, highlight=False, soft_wrap=True, markup=False)

    def _standing(self, probes: Sequence[str] | None) -> dict[str, measurements.Configuration]:
        standing = {
            name: configuration
            for name, configuration in measurements.standing(self.series.folder).items()
            if name in VALUES and (not probes or name in probes)
        }
        if unknown := sorted({*(probes or ())} - standing.keys()):
            raise EmbryologyError(
                f"probe {unknown[0]} has no items of {self.series.name} to compare; measure them (embryology probe), "
                f"or choose of {', '.join(VALUES)}"
            )
        if not standing:
            raise EmbryologyError(f"{self.series.name} was not measured by {', '.join(VALUES)}: embryology probe RUN")
        return standing

    def all(self, asked: Sequence[str]) -> list[Path]:
        from embryology.corpus import tokenizer as tokenizers  # late: they load torch
        from embryology.pretraining import without
        from embryology.pretraining.curriculum import Curriculum
        from embryology.tasks import texts

        queries = {query.slug: query for query in map(without.Query.parse, asked)}
        tokenizer = tokenizers.load(self.series.folder.tokenizer)
        finders = [query.finder(tokenizer) for query in queries.values()]
        files = {slug: self.folder / f"{slug}-{self._key(query)}.parquet" for slug, query in queries.items()}
        todo = [slug for slug, file in files.items() if not file.exists()]
        if len(todo) < len(files):
            self.say(f"{self.series.name}: {len(files) - len(todo)} of {len(files)} things measured before, skipped")
        if not todo:
            return list(files.values())
        self._preset({}, "same")  # says what is wrong with the step before anything is read
        corpora = several.prepare(self.outcome, texts.read, self.say, self.console)
        if corpora.record != read_json(self.series.folder.corpus):
            raise EmbryologyError(f"the text of {self.series.name} has changed since it was trained; restore it")
        items = {name: self._texts(configuration, tokenizer) for name, configuration in self.standing.items()}
        sentences = pd.concat([table["text"] for table in items.values()]).unique().tolist()
        pieces = tokenizer(sentences, add_special_tokens=False)["input_ids"]
        pool = without.pool(self.outcome, corpora.own.held_out, tokenizer, pieces)
        curriculum = Curriculum.of(self.outcome, corpora, tokenizer)
        held = without.holding(curriculum, finders, self.start, self.until)
        plans = {
            slug: without.plan(query, each, self.outcome, pool.without(finder), self.start)
            for (slug, query), each, finder in zip(queries.items(), held, finders, strict=True)
            if slug in todo
        }
        self._refuse_another_machine()
        for number, (slug, plan) in enumerate(plans.items(), 1):
            self.say(
                f"{plan.query} ({number} of {len(plans)}): {len(plan.held.numbers)} sequences of steps "
                f"{plan.held.steps[0]} to {plan.held.steps[-1]}, asked for in {int(plan.held.masked.sum())}"
            )
            asks = {name: _asks(table, plan.query, tokenizer) for name, table in items.items()}
            effects = pd.concat([self._effects(slug, run, plan, asks) for run in (WITHOUT, FLOOR)], ignore_index=True)
            counterfactuals.write(files[slug], effects, self._record(plan, len(pool.spare)))
            if not self.keep:
                removed_whole(self.folder / slug)
        return list(files.values())

    def _key(self, query: Query) -> str:
        configurations = {name: configuration.sha256 for name, configuration in self.standing.items()}
        run = {"outcome": self.manifest.outcome_sha256, "weights": self.series.select(str(self.until))[0].sha256}
        return sha256_of(run | {"query": str(query), "until": self.until, "probes": configurations})[:12]

    def _record(self, plan: Plan, spare: int) -> dict[str, Any]:
        return {
            "query": str(plan.query),
            "start": self.start,
            "until": self.until,
            "sequences": len(plan.held.numbers),
            "masked": int(plan.held.masked.sum()),
            "steps": plan.held.steps.tolist(),
            "first": int(plan.held.steps[0]),
            "held_back": spare,
            WITHOUT: {str(at): chunk for at, chunk in plan.without.items()},
            FLOOR: {str(at): chunk for at, chunk in plan.floor.items()},
        }

    def _preset(self, replaced: dict[int, int], name: str) -> presets.Preset:
        from embryology.pretraining import branching

        speed = self.manifest.sessions[-1].speed.model_dump() | {"keep_states": ()}
        values = {
            "name": self.manifest.preset,
            "outcome": self.outcome.model_dump() | {"replaced": self.outcome.replaced | replaced},
            "starts_from": {"run": str(self.series.folder.root), "step": self.start},
            "speed": speed,
        }
        preset = presets.validated(values, f"--from {self.start}")
        branching.origin_of(preset, RunFolder(self.folder / name))
        return preset

    def _train(self, folder: RunFolder, replaced: dict[int, int], until: int) -> pd.DataFrame:
        """Replay up to a step. Returns the rows of losses."""
        from embryology.pretraining.loop import pretrain

        pretrain(self._preset(replaced, folder.name), folder, resume=True, console=Console(quiet=True), until=until)
        return losses.read(folder)

    def _refuse_another_machine(self) -> None:
        """Replay some steps as they were: the losses must be the same bit for bit."""
        rows = losses.read(self.series.folder)
        later = rows["step"][rows["step"] > self.start]
        folder = RunFolder(self.folder / "same")
        replayed = self._train(folder, {}, int(later.iloc[0]))
        self._refuse_difference(rows, replayed, int(later.iloc[0]))
        shutil.rmtree(folder.root)

    def _refuse_difference(self, rows: pd.DataFrame, replayed: pd.DataFrame, until: int) -> None:
        one, other = (
            each[(each["step"] > self.start) & (each["step"] <= until)].set_index("step")[[*SAME]]
            for each in (rows, replayed)
        )
        if not one.equals(other):
            raise EmbryologyError(
                f"training on this machine does not repeat {self.series.name} bit for bit (another processor, other "
                "versions or another number of threads), so that what it does here cannot be held against it; train "
                "it here, with speed: {keep_states: …}"
            )

    def _effects(self, slug: str, run: str, plan: Plan, asks: dict[str, set[str]]) -> pd.DataFrame:
        """The items of one of the two runs beside those of the run itself."""
        folder = RunFolder(self.folder / slug / run)
        replayed = self._train(folder, plan.without if run == WITHOUT else plan.floor, self.until)
        first = int(plan.held.steps[0])  # the floor replaces others of the same batches
        self._refuse_difference(losses.read(self.series.folder), replayed, first - 1)
        series, tables = Series.open(folder.root), []
        for name, configuration in self.standing.items():
            reference = _items(self.series, name, self.start, self.until)
            steps = ",".join(map(str, sorted(reference["step"].unique())))
            settings = registry.settings_of(name, configuration.settings)
            run_probes(series, {name: settings}, steps, Console(quiet=True))
            _refuse_other_data(configuration, measurements.standing(series.folder)[name])
            value = _items(series, name, self.start, self.until)
            on = ["task", "item_id", "step"]
            both = reference.rename(columns={"value": "reference"}).merge(value, on=on, validate="one_to_one")
            tables.append(both.assign(probe=name, asked=both["item_id"].isin(asks[name])))
        return pd.concat(tables, ignore_index=True).assign(query=str(plan.query), run=run)

    def _texts(self, configuration: measurements.Configuration, tokenizer: Any) -> pd.DataFrame:
        """Of the items that are compared: no other text of a set is asked about."""
        probe = registry.get(configuration.probe).load()
        settings = registry.settings_of(configuration.probe, configuration.settings)
        texts: pd.DataFrame | None = probe.texts(settings, tokenizer, self.series)
        if texts is None:
            raise EmbryologyError(f"probe {configuration.probe} does not say the texts of its items")
        measured = _items(self.series, configuration.probe, self.start, self.until)["item_id"].unique()
        return texts[texts["item_id"].isin(measured)]


def _refuse_other_data(before: measurements.Configuration, now: measurements.Configuration) -> None:
    # Of grammar's data "last" is the weights of the last checkpoint, which are others by right.
    one, other = (
        each.model_copy(update={"data": {key: value for key, value in (each.data or {}).items() if key != "last"}})
        for each in (before, now)
    )
    if json.loads(one.model_dump_json()) != json.loads(other.model_dump_json()):
        raise EmbryologyError(
            f"probe {before.probe} measured the run on other data than there are now; set EMBRYOLOGY_DATA to those, or "
            "measure it again (embryology probe RUN)"
        )


def _items(series: Series, probe: str, start: int, until: int) -> pd.DataFrame:
    """``task``, ``item_id``, ``step`` and ``value`` of all items after ``start``."""
    items = measurements.read_items(series, probe, ["task", "item_id", "step", VALUES[probe]])
    items = items[(items["step"] > start) & (items["step"] <= until)]
    if probe == tokens.SPECIFICATION.name:
        items = items[items["task"] == tokens.MASK_PREDICTION]
    if items.empty:
        raise EmbryologyError(f"probe {probe} measured {series.name} at no checkpoint after {start} up to {until}")
    return items.rename(columns={VALUES[probe]: "value"}).dropna(subset="value")


def _asks(items: pd.DataFrame, query: Query, tokenizer: Any) -> set[str]:
    """The items that ask for the thing: its fact, or its last word."""
    if "word" not in items:
        return set()
    if len(query.names) == 2:
        if "subject" not in items:
            return set()
        return {*items["item_id"][(items["subject"] == query.names[0]) & (items["word"] == query.names[1])]}
    pieces = tuple(tokenizer(query.names[0], add_special_tokens=False)["input_ids"])
    words = items["word"].drop_duplicates()
    cut = tokenizer(words.tolist(), add_special_tokens=False)["input_ids"]
    same = {word for word, ids in zip(words, cut, strict=True) if tuple(ids) == pieces}
    return {*items["item_id"][items["word"].isin(same)]}
