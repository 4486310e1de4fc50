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
from embryology.analysis.claims import CLAIMS, late, verdicts
from embryology.analysis.claims.decisions import AGAINST, SUPPORTED, UNDECIDED
from embryology.figures import claims
from embryology.runs import losses, measurements
from embryology.runs.paths import ROOT
from embryology.runs.series import Series
from embryology.runs.steps import Record
from embryology.storage.files import read_json, write_json
from tests.analysis.claim_runs import AFTER, copy, early, fine_tuned, plateau, said, seed
from tests.figures.reading import cells_of
from tests.synthetic import STEPS, measure

COVERS = (
    "embryology/analysis/claims/claim.py",
    "embryology/analysis/claims/downstream.py",
    "embryology/analysis/claims/edges.py",
    "embryology/analysis/claims/facts.py",
    "embryology/analysis/claims/late.py",
    "embryology/analysis/claims/verdicts.py",
    "embryology/analysis/claims/words.py",
)


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
    assert verdict.reasons[0].endswith(" than seed0")
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
