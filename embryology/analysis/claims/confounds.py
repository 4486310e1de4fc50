"""What else could make the claims' numbers: how large it is in one run, as far as that was measured."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from embryology import intervals
from embryology.analysis import acquisition, beyond_frequency, curves, edges, factors, frequency, overlap
from embryology.analysis.acquisition import CannotBeTold
from embryology.analysis.claims.claim import Seen
from embryology.analysis.claims.verdicts import recipes
from embryology.runs import measurements, properties
from embryology.runs.paths import STUDIES
from embryology.runs.series import Series
from embryology.specs import edges as labels
from embryology.specs.properties import FREQUENCY, OVERLAP
from embryology.specs.tokens import MASK_PREDICTION, RECONSTRUCTION, SPECIFICATION
from embryology.storage.files import read_yaml

FILE = STUDIES / "confounds" / "pairs.yaml"
"""Of pairs of runs that were made for their difference, what benchmarks/confounds.py told, with their commands."""
POINTS, PERCENT, NATS = " points", "%", " nats"


@dataclass(frozen=True)
class Effect:
    """Of a confound: a number with its 95% interval, nan where there is none."""

    of: str
    """Which run, or recipe."""
    value: float
    low: float
    high: float
    unit: str


@dataclass(frozen=True)
class Confound:
    name: str
    number: str
    """What the effect is, a clause; of one that was not measured what would measure it."""
    effect: Effect | None
    why_not: str = ""


@dataclass(frozen=True)
class OneSetting:
    """A confound that is one setting of training, so that two runs which differ in it alone tell its effect."""

    name: str
    comparison: str
    """Of the second run less the first, a clause."""
    setting: Callable[[Any], float]
    """Of a run's outcome; the first of the two has less of it."""
    exclude: dict[str, Any]
    """Of an outcome, as pydantic's ``model_dump`` takes it, what holds the setting."""
    lacking: str
    """What runs would be needed."""
    alike: Callable[[Any], Any] = lambda outcome: None
    """Of an outcome, what has to be the same of what is excluded."""


SETTINGS = (
    OneSetting(
        "decay of the rate",
        "after a decay, less at a constant rate to the end",
        lambda outcome: float(outcome.course[-1].falls_to is not None),
        {"phases": True},
        "two runs of the same seed and steps, of which one ends at a constant rate and one decays",
        lambda outcome: {(stage.reads, stage.learning_rate) for stage in outcome.course},
    ),
    OneSetting(
        "vocabulary and tokenizer",
        "with the larger vocabulary, less with the smaller one",
        lambda outcome: outcome.tokenizer.vocab_size,
        {"tokenizer": {"vocab_size"}},
        "two runs of the same seed, model and text with vocabularies of several sizes",
    ),
    OneSetting(
        "repetition of the text",
        "of fewer articles, read more often, less of more articles",
        lambda outcome: outcome.corpus.every,
        {"corpus": {"every"}},
        "two runs of the same seed and as many tokens, of which one reads fewer articles more often",
    ),
)
ASKED = {RECONSTRUCTION: "words reconstructed at the end", MASK_PREDICTION: "masked words predicted at the end"}


def read(series: Sequence[Series]) -> list[Confound]:
    """All confounds, each of the first series, or of the first seeds, that were measured for it."""
    made = [
        _of_first(series, "word frequency", "what part of speech adds to frequency, held-out word types", _frequency),
        _of_first(
            series, "test text in the training text", "words reconstructed, less those without overlap", _overlap
        ),
        _of_first(
            series, "capacity of the probe", "selectivity of the least selective edge task, best layer", _selectivity
        ),
        _of_first(series, "size of the test set", "words reconstructed at the end, over items", _items),
        _seeds(series),
    ]
    return [*made, *itertools.chain.from_iterable(_of_setting(series, each) for each in SETTINGS)]


def _of_first(
    series: Sequence[Series], name: str, number: str, measure: Callable[[Seen], tuple[float, float, float, str] | str]
) -> Confound:
    reasons = []
    for each in series:
        try:
            found = measure(Seen(each))
        except CannotBeTold as reason:
            found = str(reason)
        if not isinstance(found, str):
            return Confound(name, number, Effect(each.name, *found))
        reasons.append(found)
    return Confound(name, number, None, reasons[0] if reasons else "there is no run")


def _frequency(seen: Seen) -> tuple[float, float, float, str] | str:
    if reason := properties.lacking(seen.series, SPECIFICATION.name, FREQUENCY):
        return reason
    words = beyond_frequency.words_of(seen.series, seen.frame(SPECIFICATION.name), seen.items(SPECIFICATION.name))
    units = frequency.units(acquisition.of_one_piece(words), by_type=True)
    row = frequency.gains(frequency.held_out(units)).loc[frequency.PART_OF_SPEECH]
    return float(row["value"]), float(row["low"]), float(row["high"]), NATS


def _overlap(seen: Seen) -> tuple[float, float, float, str] | str:
    """Of the task whose score moves most, of those that an interval can be told of; of words where there is none."""
    if reason := properties.lacking(seen.series, SPECIFICATION.name, OVERLAP):
        return reason
    table = overlap.table(seen.series)
    table = table[table["difference"].notna()]
    told = table[table["low"].notna()]
    rows = told if len(told) else table[table["task"] == RECONSTRUCTION]
    if rows.empty:
        return "no item of it overlaps, or each does"
    row = rows.loc[rows["difference"].abs().idxmax()]
    return _points(row["difference"], row["low"], row["high"])


def _points(value: float, low: float, high: float) -> tuple[float, float, float, str]:
    return 100 * float(value), 100 * float(low), 100 * float(high), POINTS


def _selectivity(seen: Seen) -> tuple[float, float, float, str] | str:
    if reason := measurements.lacking(seen.series, labels.SPECIFICATION.name):
        return reason
    frame = seen.frame(labels.SPECIFICATION.name)
    layer = edges.best_layer(frame)
    ends = [edges.curve(frame, task, layer, labels.SELECTIVITY).tail(1) for task in edges.tasks(frame)]
    least = min((end.iloc[0] for end in ends if len(end)), key=lambda row: float(row["value"]), default=None)
    if least is None:
        return "it has no control tasks"
    return _points(*least[["value", "low", "high"]])


def _items(seen: Seen) -> tuple[float, float, float, str] | str:
    if reason := measurements.lacking(seen.series, SPECIFICATION.name):
        return reason
    last = curves.curve(seen.frame(SPECIFICATION.name), RECONSTRUCTION, "").tail(1)
    if last.empty:
        return "it has no total over parts of speech"
    value, low, high, _ = _points(*last[["value", "low", "high"]].iloc[0])
    return value, low, high, PERCENT


def _seeds(series: Sequence[Series]) -> Confound:
    """Of the first recipe with as many seeds as an interval takes."""
    name, number = "choice of the seed", "words reconstructed at the end, over seeds"
    for recipe, group in recipes(series).items():
        found = [_items(Seen(each)) for each in group]
        values = np.array([each[0] for each in found if not isinstance(each, str)])
        if len(values) >= intervals.LEAST_OF_MEAN and np.ptp(values) > 0:
            low, high = intervals.of_mean(values, np.ones_like(values))
            return Confound(name, number, Effect(recipe, float(values.mean()), float(low), float(high), PERCENT))
    return Confound(name, number, None, "no recipe at hand has three seeds that were measured")


def _of_setting(series: Sequence[Series], setting: OneSetting) -> Iterator[Confound]:
    """Of two runs at hand, else of those that were made for it once."""
    found = pair(series, setting)
    effects = made().get(setting.name, {}) if isinstance(found, str) else found
    for task, effect in effects.items():
        yield Confound(setting.name, f"{ASKED[task]}, {setting.comparison}", effect)
    if isinstance(found, str) and not effects:
        yield Confound(setting.name, setting.comparison, None, found)


def made() -> dict[str, dict[str, Effect]]:
    """What pairs of runs told that were made once, by confound and task."""
    found: dict[str, dict[str, Effect]] = {}
    for each in read_yaml(FILE)["pairs"] if FILE.exists() else []:
        effect = Effect(f"{each['of']} (made once)", each["value"], each["low"], each["high"], POINTS)
        found.setdefault(each["confound"], {})[each["task"]] = effect
    return found


def pair(series: Sequence[Series], setting: OneSetting) -> dict[str, Effect] | str:
    """By task, of the first two runs that differ in a setting alone and were asked the same; or why there are none."""
    reasons = []
    for one, other in itertools.permutations(series, 2):
        if _differ_in(setting, one, other):
            found = {task: _of_pair(one, other, task) for task in ASKED}
            effects = {task: each for task, each in found.items() if isinstance(each, Effect)}
            if len(effects) == len(ASKED):
                return effects
            reasons += [each for each in found.values() if isinstance(each, str)]
    return reasons[0] if reasons else f"not measured: it takes {setting.lacking}"


def _differ_in(setting: OneSetting, one: Series, other: Series) -> bool:
    if one.manifest is None or other.manifest is None or one.version != other.version:
        return False
    outcomes = one.manifest.outcome, other.manifest.outcome
    rest, other_rest = (each.model_dump(exclude=setting.exclude) for each in outcomes)
    less, more = map(setting.setting, outcomes)
    return rest == other_rest and less < more and setting.alike(outcomes[0]) == setting.alike(outcomes[1])


def _of_pair(one: Series, other: Series, task: str) -> Effect | str:
    """How much more words of a task the other has right at its last checkpoint, of those that both were asked."""
    probe = SPECIFICATION.name
    for each in (one, other):
        if reason := measurements.lacking(each, probe):
            return reason
    if factors.asked(one, probe) != factors.asked(other, probe):
        return f"{one.name} and {other.name} were measured with other settings or on other data"
    ends = []
    for each in (one, other):
        items = measurements.read_items(each, probe)
        items = items[(items["task"] == task) & (items["step"] == each.checkpoints[-1].step)]
        ends.append(items[["item_id", "sentence", "correct"]])
    both = ends[0].merge(ends[1], on=["item_id", "sentence"], suffixes=("", "_other"), validate="one_to_one")
    more = both["correct_other"].to_numpy(float) - both["correct"].to_numpy(float)
    if not more.any():
        return f"{one.name} and {other.name} have no word in common that one of them has right and the other has not"
    low, high = intervals.of_mean(*intervals.by_unit(more, both["sentence"].to_numpy()))
    return Effect(f"{other.name}, {one.name}", *_points(more.mean(), float(low), float(high)))
