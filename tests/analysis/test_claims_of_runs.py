"""Claims of made-up runs whose truth is known: verdicts, and what takes a verdict away."""

import shutil
from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from embryology.analysis import edges
from embryology.analysis.claims import CLAIMS, confounds, late, verdicts
from embryology.analysis.claims.decisions import AGAINST, SUPPORTED, UNDECIDED
from embryology.figures import claims
from embryology.runs import losses, measurements
from embryology.runs.paths import ROOT
from embryology.runs.series import Series
from embryology.runs.steps import Record
from embryology.storage.files import read_json, write_json
from tests.figures.reading import cells_of
from tests.synthetic import STEPS, _downstream, make_run, measure

COVERS = (
    "embryology/analysis/claims/claim.py",
    "embryology/analysis/claims/confounds.py",
    "embryology/analysis/claims/downstream.py",
    "embryology/analysis/claims/edges.py",
    "embryology/analysis/claims/facts.py",
    "embryology/analysis/claims/late.py",
    "embryology/analysis/claims/verdicts.py",
    "embryology/analysis/claims/words.py",
)
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


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    home = tmp_path_factory.mktemp("claims")
    made = [seed(home, number) for number in range(3)]
    for number, each in enumerate(made):
        fine_tuned(each, lambda step, number=number: early(step) + 1e-4 * number * (step > 1000))
    return made


@pytest.fixture
def copies(seeds, tmp_path):
    return [copy(each, tmp_path) for each in seeds]


@pytest.fixture(scope="module")
def told(seeds):
    return verdicts.read(seeds)


def of(series, *names, steps="all"):
    """Verdicts of some claims; of the others there is no number."""
    unasked = [replace(claim, probe="attention", families=("none",)) for claim in CLAIMS if claim.name not in names]
    asked = [claim for claim in CLAIMS if claim.name in names]
    return verdicts.read(series, steps, sorted([*unasked, *asked], key=lambda claim: claim.number))


def test_numbers_are_those_of_the_files(told, seeds):
    """Of scores: what SciPy's line says of the rows that were written."""
    verdict = told.of("late-downstream")
    (only,) = verdict.of
    steps = np.array(STEPS, float)
    for number, value in enumerate(only.values):
        curve = np.array([early(step) + 1e-4 * number * (step > 1000) for step in STEPS])
        kept = steps >= 500
        slope = stats.linregress(np.log2(steps[kept]), curve[kept]).slope
        assert value == pytest.approx(slope * np.log2(2000 / 640) / (curve[-3:].mean() - curve[0]), abs=1e-9)
    assert only.seeds == ("seed0", "seed1", "seed2")
    assert (only.estimate.mean, only.estimate.error) == pytest.approx((np.mean(only.values), stats.sem(only.values)))
    assert verdict.outcome == SUPPORTED
    assert not verdict.is_exploratory


def test_what_was_made_up_is_found(told):
    outcomes = {each.claim.name: each.outcome for each in told.overall}
    assert outcomes["reconstruction-speeds"] == outcomes["published-order"] == SUPPORTED
    assert outcomes["frequency-order"] == SUPPORTED
    speeds = told.of("reconstruction-speeds").of[0]
    assert speeds.values == pytest.approx([3.0] * 3, abs=0.4), "DT is halfway at step 50, and NN at 1,000"
    assert 0 < told.of("published-order").of[0].p < 0.001
    assert told.recipes == {"synthetic": ("seed0", "seed1", "seed2")}
    assert set(told.phases.values()) == {None}


def test_a_claim_about_others_models_rests_on_none(told):
    for name in ("order-of-bert", "downstream-of-bert-and-electra"):
        verdict = told.of(name)
        assert (verdict.outcome, verdict.of, verdict.others) == (UNDECIDED, (), ())


def shown(series):
    """The row of the table, and the sentence."""
    told = of(series, "late-downstream")
    return cells_of(claims.table(told).data)[8], claims.sentence(told.of("late-downstream"))


def test_a_measurement_that_is_turned_round_turns_the_verdict(copies):
    assert of(copies, "late-downstream").of("late-downstream").outcome == SUPPORTED
    before = shown(copies)
    for number, each in enumerate(copies):
        fine_tuned(
            each, lambda step, number=number: 0.4 + 0.1 * np.log2(step + 1) / 11 + (0.3 + 0.002 * number) * step / 2000
        )
    verdict = of(copies, "late-downstream").of("late-downstream")
    assert verdict.outcome == AGAINST
    assert min(verdict.of[0].values) > 0.3
    after = shown(copies)
    assert [before[0][0], after[0][0]] == ["9. Downstream performance does not improve late"] * 2
    assert [before[0][1], after[0][1]] == ["supported", "not supported"]
    assert before[0][2] != after[0][2]
    assert before[1].startswith("Supported: synthetic has 0.00 of the gain (")
    assert after[1].startswith("Not supported: synthetic has 0.")
    for number, each in enumerate(copies):
        fine_tuned(each, lambda step, number=number: early(step) - (0.1 + 0.002 * number) * (step > 700))
    assert of(copies, "late-downstream").of("late-downstream").outcome == UNDECIDED, "a fall is no plateau"


def test_tasks_that_are_not_learnt_decide_nothing(copies):
    for number, each in enumerate(copies):
        fine_tuned(each, lambda step, number=number: 0.25 + 0.05 * (step > 50) + 1e-4 * number * (step > 1000))
    verdict = of(copies, "late-downstream").of("late-downstream")
    assert verdict.outcome == UNDECIDED
    assert "do not clear the majority" in verdict.others[0].reasons[-1]


def test_without_a_late_phase_late_claims_are_undecided_and_the_others_are_not(copies):
    for each, fall in zip(copies, (0.05, 0.0, 0.0), strict=True):
        plateau(each, fall)
    read = verdicts.read([Series.open(each.folder.root) for each in copies])
    for claim in CLAIMS:
        if claim.late and claim.number != 10:
            (verdict,) = read.of(claim.name).others
            assert verdict.outcome == UNDECIDED
            assert verdict.reasons[0].startswith("seed0: its held-out loss still fell by 0.05 nats in the last quarter")
            assert verdict.reasons[1] == "2 of the 3 seeds that it takes"
    assert read.of("reconstruction-speeds").outcome == SUPPORTED


def test_a_late_phase_by_hand(seeds, tmp_path):
    series = copy(seeds[0], tmp_path)

    def why(*args, **kwargs):
        plateau(series, *args, **kwargs)
        return late.why_not(Series.open(series.folder.root))

    assert why() is None
    assert why(0.019) is None
    assert "still fell by 0.03 nats" in why(0.03)
    assert "does not end a phase at a constant rate" in why(rate=lambda step: 1e-3 * (1 - step / 2100))
    # Constant up to 1,200, where the loss falls: the decay after it, where it falls no more, does not help.
    decay = {"rate": lambda step: 1e-3 if step <= 1200 else 1e-3 * (2001 - step) / 801, "decays_after": 1200}
    assert "evaluated 0 times in the last quarter" in why(**decay)
    noisy = losses.read(series.folder)
    noisy["phase"], noisy["learning_rate"] = 1, 1e-3
    noisy["held_out_masked_loss"] += 0.05 * (np.arange(len(noisy)) % 2)
    losses.write(series.folder, noisy.to_dict("records"))
    assert "may still have fallen" in late.why_not(Series.open(series.folder.root))
    series.folder.losses.unlink()
    assert "no losses" in late.why_not(Series.open(series.folder.root))


def test_a_run_that_began_before_the_rule_is_exploratory_and_three_later_ones_stand_alone(seeds, tmp_path):
    more = [
        said(copy(each, tmp_path, f"seed{number}", True), "2026-11-29T17:39:25+00:00", seed=number)
        for number, each in ((3, seeds[0]), (4, seeds[1]))
    ]
    before = of([*seeds[:2], more[0]], "reconstruction-speeds").of("reconstruction-speeds")
    assert before.is_exploratory
    assert before.of[0].exploratory[0] == "seed3: its training began before the rule was written"
    after = of([*more, *seeds], "reconstruction-speeds").of("reconstruction-speeds")
    assert after.of[0].seeds == ("seed0", "seed1", "seed2")
    assert not after.is_exploratory
    assert "so that it is left out" in after.of[0].reasons[0]


def test_a_seed_that_was_measured_before_the_rule_is_exploratory_when_it_is_trained_again(seeds, tmp_path, monkeypatch):
    monkeypatch.setitem(verdicts.LOOKED_AT, "synthetic", (0,))
    told = of(seeds, "reconstruction-speeds").of("reconstruction-speeds").of[0]
    assert told.seeds == ("seed0", "seed1", "seed2")
    assert [reason.partition(",")[0] for reason in told.exploratory] == [
        "seed0: its seed was measured before the rule was written"
    ]
    fourth = said(copy(seeds[0], tmp_path, "seed4", True), AFTER, seed=4)
    told = of([*seeds, fourth], "reconstruction-speeds").of("reconstruction-speeds").of[0]
    assert (told.seeds, told.exploratory) == (("seed1", "seed2", "seed4"), ())


def test_seeds_that_are_frozen_from_before_the_rules_are_known_as_such():
    written = min(claim.written for claim in CLAIMS)
    for folder in sorted((ROOT / "results").glob("tiny*")):
        frozen = Series.open(folder)
        before = datetime.fromisoformat(frozen.manifest.sessions[0].started) < written
        assert before == (frozen.seed in verdicts.LOOKED_AT.get(frozen.manifest.preset, ())), folder.name


def test_checkpoints_made_by_others_are_exploratory_and_have_no_late_phase(copies):
    for each in copies:
        for file in (each.folder.manifest, each.folder.losses, each.folder.corpus):
            file.unlink()
    theirs = [
        replace(each, manifest=None, record=Record(recipe="theirs", seed=number)) for number, each in enumerate(copies)
    ]
    read = verdicts.read(theirs)
    speeds = read.of("reconstruction-speeds")
    assert speeds.outcome == SUPPORTED
    assert speeds.is_exploratory
    assert verdicts.NO_DATE in speeds.of[0].exploratory[0]
    assert "no losses" in read.of("late-downstream").others[0].reasons[0]
    assert read.recipes == {"theirs": ("seed0", "seed1", "seed2")}


def test_what_is_not_measured_is_undecided_with_the_reason(copies):
    for each in copies:
        standing = read_json(each.folder.standing)
        write_json(each.folder.standing, {"tokens": standing["tokens"]})
    read = verdicts.read([Series.open(each.folder.root) for each in copies])
    for claim in CLAIMS:
        if claim.probe != "tokens" and claim.number != 10:
            (verdict,) = read.of(claim.name).others
            assert (verdict.outcome, verdict.values) == (UNDECIDED, ())
            assert f"probe {claim.probe} has not measured it" in verdict.reasons[0]
    nothing = copies[0].folder.measurements
    shutil.rmtree(nothing)
    read = verdicts.read([Series.open(copies[0].folder.root)])
    assert {each.outcome for each in read.overall} == {UNDECIDED}


def test_two_seeds_decide_nothing(seeds):
    read = verdicts.read(seeds[:2])
    assert {each.outcome for each in read.overall} == {UNDECIDED}
    assert read.of("reconstruction-speeds").others[0].reasons == ("2 of the 3 seeds that it takes",)


def test_seeds_measured_otherwise_or_of_the_same_weights_are_left_out(seeds, tmp_path):
    other = said(copy(seeds[0], tmp_path / "more", "seed3", True), seed=3)
    rows = measurements.read(other, "tokens")
    for step in STEPS:
        (file,) = other.folder.measurements.glob(f"tokens/*/items/{step:08d}-*")
        items = pd.read_parquet(file).drop(columns="step")
        measure(
            other.folder, "tokens", step, rows[rows["step"] == step].drop(columns=["series", "key"]), items, {"a": 1}
        )
    name = "reconstruction-speeds"
    (verdict,) = of([*seeds, other], name).of(name).of
    assert verdict.seeds == ("seed0", "seed1", "seed2")
    assert verdict.reasons[0].startswith("seed3: it was measured with other settings")
    (verdict,) = of([*seeds, said(copy(seeds[2], tmp_path, "twin"), seed=7)], name).of(name).of
    assert verdict.reasons == ("twin: its weights are those of seed2",)


def of_family(series, family):
    outcome = yaml.safe_load(series[0].folder.manifest.read_text())["outcome"]
    model = outcome["model"] | {"family": family}
    if family != "electra":
        return [said(each, model=model) for each in series]
    objective = outcome["objective"] | {"pair": "none", "pair_weight": 0.0, "rtd_weight": 50.0}
    return [said(each, model=model | {"generator_size": 0.5}, objective=objective) for each in series]


def test_an_electra_whose_discriminator_is_blind_decides_nothing(copies):
    made = of_family(copies, "electra")
    name = "reconstruction-speeds"
    blind = of(made, name).of(name)
    assert blind.outcome == UNDECIDED
    assert "does not clear its baseline" in blind.others[0].reasons[0]
    for each in made:
        rows = losses.read(each.folder).assign(held_out_auc_gain_low=0.01)
        losses.write(each.folder, rows.to_dict("records"))
    assert of([Series.open(each.folder.root) for each in made], name).of(name).outcome == SUPPORTED


def test_over_all_every_recipe_has_to_say_so(seeds, copies):
    both = Series.open_all([each.folder.root for each in [*seeds, *of_family(copies, "bert")]])
    name = "reconstruction-speeds"
    verdict = of(both, name).of(name)
    assert [each.recipe for each in verdict.of] == [both[0].name, both[3].name]
    assert verdict.outcome == SUPPORTED
    assert verdict.supports == pytest.approx(12 * verdict.of[0].unadjusted[0])


def test_chosen_steps_are_asked_of_all_seeds_of_the_first(seeds, told):
    steps = "0,40,80,160,640,1280,2000"
    read = of(seeds, "reconstruction-speeds", steps=steps)
    assert len(read.of("reconstruction-speeds").of[0].seeds) == 3
    assert read.of("reconstruction-speeds").of[0].values != told.of("reconstruction-speeds").of[0].values


def test_confounds_are_those_of_the_files(seeds, copies):
    found = {each.name: each for each in confounds.read(seeds)}
    unmeasured = {name: each.why_not for name, each in found.items() if each.effect is None}
    assert list(unmeasured) == ["decay of the rate", "vocabulary and tokenizer", "repetition of the text"]
    assert all(reason.startswith("not measured: it takes two runs of the same seed") for reason in unmeasured.values())
    rows = [measurements.read(each, "tokens") for each in seeds]
    last = [
        frame[(frame["step"] == 2000) & (frame["task"] == "reconstruction") & (frame["metric"] == "accuracy")]
        for frame in rows
    ]
    words = [frame[frame["baseline"].isna() & (frame["group"] == "")].iloc[0] for frame in last]
    items = found["size of the test set"].effect
    assert (items.value, items.low, items.high) == pytest.approx([100 * words[0][n] for n in ("value", "low", "high")])
    values = [100 * each["value"] for each in words]
    of_seeds = found["choice of the seed"].effect
    assert of_seeds.of == "synthetic"
    assert of_seeds.value == pytest.approx(np.mean(values))
    assert (of_seeds.low, of_seeds.high) == pytest.approx(stats.t.interval(0.95, 2, np.mean(values), stats.sem(values)))
    # Of three tasks entities, of which nothing is learnt, in layer 2: micro F1 less 0.3.
    assert found["capacity of the probe"].effect.value == pytest.approx(100 * (0.44 - 0.3), abs=1)
    assert found["word frequency"].effect.low < found["word frequency"].effect.value
    assert found["test text in the training text"].effect.of == "seed0"
    for each in copies:
        standing = read_json(each.folder.standing)
        write_json(each.folder.standing, {"attention": standing["attention"]})
    lacking = {each.name: each for each in confounds.read([Series.open(each.folder.root) for each in copies])}
    assert all(each.effect is None for each in lacking.values())
    assert "has not measured it" in lacking["capacity of the probe"].why_not
    assert "three seeds" in lacking["choice of the seed"].why_not


PAIRS = {
    "decay of the rate": (
        {"phases": [{"steps": 2000, "rate": "constant"}]},
        {"phases": [{"steps": 1500, "rate": "constant"}, {"steps": 500, "rate": "decay"}]},
    ),
    "vocabulary and tokenizer": ({"tokenizer": {"vocab_size": 500}}, {"tokenizer": {"vocab_size": 900}}),
    "repetition of the text": ({}, {"corpus": {"source": "bundled", "every": 9}}),
}


def better(series, words):
    """So many more sentences of it have all their words right at the end."""
    for file in (series.folder.measurements / "tokens").glob("*/items/00002000-*.parquet"):
        items = pd.read_parquet(file)
        chosen = items["sentence"].isin(sorted(items["sentence"].unique())[:words])
        items.assign(correct=items["correct"] | chosen).to_parquet(file)


@pytest.mark.parametrize("name", PAIRS)
def test_what_one_setting_does_is_told_by_two_runs_that_differ_in_it_alone(name, seeds, tmp_path):
    one, other = (said(copy(seeds[0], tmp_path, str(n)), **PAIRS[name][n]) for n in range(2))
    better(other, 7)
    series = [other, seeds[1], one]
    of_both = [each for each in confounds.read(series) if each.name == name]
    frames = [measurements.read_items(each, "tokens") for each in (one, other)]
    tasks = "reconstruction", "mask-prediction"
    for confound, task in zip(of_both, tasks, strict=True):
        first, second = (f[(f["task"] == task) & (f["step"] == 2000)].sort_values("item_id") for f in frames)
        more = second["correct"].to_numpy(float) - first["correct"].to_numpy(float)
        assert confound.why_not == ""
        assert confound.effect.of == "1, 0"
        assert confound.effect.value == pytest.approx(100 * more.mean())
        assert confound.effect.low < 100 * more.mean() < confound.effect.high
        assert more.mean() > 0
    assert "words reconstructed at the end" in of_both[0].number
    assert "masked words predicted at the end" in of_both[1].number
    otherwise = said(one, objective=one.manifest.outcome.objective.model_dump() | {"mlm_probability": 0.3})
    assert [e.effect for e in confounds.read([otherwise, other]) if e.name == name] == [None]


def test_two_runs_that_were_asked_otherwise_tell_no_effect(seeds, tmp_path):
    name = "repetition of the text"
    one, other = (said(copy(seeds[0], tmp_path, str(n)), **PAIRS[name][n]) for n in range(2))
    assert "no word in common that one" in {e.name: e for e in confounds.read([one, other])}[name].why_not
    standing = read_json(other.folder.standing)
    standing["tokens"]["settings"]["sentences"] = 7
    before = measurements.standing(other.folder)["tokens"].folder(other.folder)
    write_json(other.folder.standing, standing)
    before.rename(measurements.standing(other.folder)["tokens"].folder(other.folder))
    again = [one, Series.open(other.folder.root)]
    assert "other settings or on other data" in {e.name: e for e in confounds.read(again)}[name].why_not


def test_of_syntax_alone_nothing_is_said_of_both(seeds, monkeypatch):
    half_gains, kind = edges.half_gains, edges.kind

    def of_syntax(frame, layer):
        table = half_gains(frame, layer)
        return table[[kind(task) not in ("role", "coreference", "entity") for task in table.index]]

    monkeypatch.setattr(edges, "half_gains", of_syntax)
    verdict = of(seeds, "syntax-and-meaning").of("syntax-and-meaning")
    assert verdict.outcome == UNDECIDED
    (undecided,) = verdict.others
    assert undecided.reasons == ("of syntax or of meaning no task of the edge probe is learnt in every seed",)
