"""Variants beside their control, of runs whose curves are known."""

import shlex
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks import variants as script
from embryology import presets
from embryology.analysis import scratch, variants
from embryology.analysis.learning_order import NOT_REACHED, REACHED
from embryology.pretraining import branching, without
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from tests.training import SHORT, small_preset, train

COVERS = ("embryology/analysis/scratch.py",)

SPEEDS = {
    "variant": (1.0, 1.05, 0.95),
    "variant-short-first": (2.0, 2.1, 1.9),
    "variant-long-first": (1.0, 1.03, 0.99),
    "variant-rare-first": (0.5, 0.6, 1.0),
    "variant-grown": (1.4, 1.5, 1.6),
}
"""By preset how steeply the loss falls, by seed: nats a 20 tokens."""
SHIFTS = {"variant": 0.0, "variant-short-first": -1.0, "variant-long-first": 0.02, "variant-rare-first": 1.5}
"""By preset how many doublings later words are learnt."""
NOISE = (-0.1, 0.0, 0.1)
GRID = [0, 8, 16, 32, 48, 64]


def made_up(names=tuple(SPEEDS)):
    """Losses that fall by a straight line, so that what is linear between checkpoints is exact."""
    evaluations = [
        {
            "preset": name,
            "seed": seed,
            "step": tokens,
            "own_tokens": tokens,
            "all_tokens": tokens + (100 if name == "variant-grown" else 0),
            "flops": 7 * tokens,
            "held_out_masked_loss": 9 - 0.05 * speed * tokens,
            "unigram_loss": 9.0,
        }
        for name in names
        for seed, speed in enumerate(SPEEDS[name])
        for tokens in GRID
    ]
    times = [
        {
            "preset": name,
            "seed": seed,
            "group": group,
            "state": REACHED,
            "own_tokens": at * 2 ** (SHIFTS[name] + NOISE[seed]),
        }
        for name in names
        if name in SHIFTS
        for seed in range(3)
        for group, at in {"DT": 100, "NN": 900, "VB": 400}.items()
    ]
    frame = pd.DataFrame(times, columns=list(variants.TIMES)).astype(variants.TIMES)
    late = (frame["preset"] == "variant-rare-first") & (frame["group"] == "NN") & (frame["seed"] == 2)
    frame.loc[late, ["state", "own_tokens"]] = NOT_REACHED, np.nan
    nothing = variants.read(variants.FOLDER / "nowhere")
    return replace(nothing, evaluations=pd.DataFrame(evaluations).astype(variants.EVALUATIONS), times=frame)


@pytest.fixture(scope="module")
def study():
    return made_up()


def parts_that_differ(one, other):
    one, other = (presets.load(name).outcome.model_dump() for name in (one, other))
    return {key for key in one if one[key] != other[key]}


def test_what_is_planned_are_presets_that_differ_from_their_control_in_one_part(study):
    assert set(study.variants["control"]) <= set(study.plan["preset"])
    for row in study.variants.itertuples():
        different = parts_that_differ(row.preset, row.control)
        assert different in (
            {"order"},
            {"objective"},
            {"grown_from"},
            {"phases"},
            {"phases", "steps", "checkpoints"},
        ), row.preset
    assert set(study.variants["preset"]) < set(study.planned["preset"])
    for row in study.planned.itertuples():
        if row.asked == "language":
            assert parts_that_differ(row.preset, "variant") == {"corpus", "tokenizer"}
        if row.asked == "forgetting" and isinstance(row.needs, str):
            assert parts_that_differ(row.preset, row.needs) == {"phases"}


def test_the_control_comes_first_and_each_variant_after_what_it_needs(study):
    """In the order of the chapter; what a run begins with, grows from or asks is there, and is the same up to there."""
    order = study.plan["preset"].tolist()
    assert order[0] == "variant"
    groups = study.plan["group"].drop_duplicates().tolist()
    assert groups == [
        *("control", "another language", "continued", "fine-tuned without forgetting", "curriculum", "grown"),
        *("no human language first", "knowledge fed in", "sparse types"),
    ]
    needs = study.plan.set_index("preset")["needs"]
    for name in order:
        preset = presets.load(name).with_seed(1)
        begins = [preset.origin] if preset.origin else []
        begins += [preset.outcome.order.teacher] if preset.outcome.order and preset.outcome.order.teacher else []
        if not begins:
            assert not isinstance(needs[name], str)
        for each in begins:
            assert each.run.replace("{seed}", "1") == f"{needs[name]}-seed1"
            assert order.index(needs[name]) < order.index(name)
            other = presets.load(needs[name]).with_seed(1)
            assert each.step in other.outcome.checkpoints
            if preset.starts_from:
                assert each.step in other.speed.keep_states
                assert [*branching._differences(other.outcome, preset.outcome, each.step)] == []


@pytest.mark.parametrize("language", ["nested", "flat", "zipf", "shuffled"])
def test_english_is_read_at_the_rates_and_checkpoints_of_the_control(language):
    from embryology.models.optimizers import stage_rate

    ours, control = (presets.load(name).outcome for name in (f"variant-{language}-before", "variant"))
    first, english = ours.course
    assert first.texts[0][0].path == language
    assert english.texts == ((control.corpus, 1.0),)
    rates = [stage_rate(english, step) for step in range(600, 1800)]
    assert rates == pytest.approx([stage_rate(control.course[0], step) for step in range(1200)])
    assert {step - 600 for step in ours.checkpoints if step >= 600} == set(control.checkpoints)


def test_tokens_to_the_controls_loss_are_where_straight_lines_cross_it(study):
    """The control's mean speed is 1, so that its mean loss at three quarters is that after 48 tokens."""
    told = variants.reaching(study).set_index(["preset", "seed"])
    for name, speeds in SPEEDS.items():
        for seed, speed in enumerate(speeds):
            expected = 48 / speed if 48 / speed <= 64 else np.inf
            assert told.loc[(name, seed), "own_tokens"] == pytest.approx(expected)
    assert told.loc[("variant-grown", 0), "all_tokens"] == pytest.approx(100 + 48 / 1.4)
    assert told.loc[("variant", 1), "flops"] == pytest.approx(7 * 48 / 1.05)


def test_a_variant_is_held_against_its_control_with_the_spread_of_all_seeds(study):
    table = variants.tokens_to_loss(study).set_index("preset")
    logs = {name: np.log2(48 / np.array(speeds)) for name, speeds in SPEEDS.items()}
    half = ((table["high"] - table["low"]) / 2).dropna()
    told = [name for name in table.index if name != "variant-rare-first"]
    for name in told:
        assert table.loc[name, "difference"] == pytest.approx(logs[name].mean() - logs["variant"].mean())
        assert table.loc[name, "seeds"] == pytest.approx(logs[name] - logs["variant"].mean())
    spread = np.sqrt(np.mean([np.var(logs[name], ddof=1) for name in ("variant", *told)]) * 2 / 3)
    assert (half > stats.t.ppf(0.975, 8) * spread).all()
    assert (half < stats.t.ppf(1 - 0.025 / 3, 8) * spread * 1.02).all()
    assert table.loc["variant-rare-first", "why_not"] == "2 of 3 seeds do not get there"
    assert np.isnan(table.loc["variant-rare-first", ["difference", "low", "high"]].astype(float)).all()
    assert "variant" not in table.index


def test_one_variant_alone_is_a_t_test():
    study = made_up(("variant", "variant-grown"))
    (row,) = variants.final_losses(study).itertuples()
    ends = [[9 - 0.05 * 64 * speed for speed in SPEEDS[name]] for name in ("variant-grown", "variant")]
    interval = stats.ttest_ind(*ends).confidence_interval(0.95)
    assert (row.low, row.high) == pytest.approx((interval.low, interval.high), abs=2e-3)
    assert row.difference == pytest.approx(np.mean(ends[0]) - np.mean(ends[1]))


def test_learning_times_shift_by_the_mean_over_groups_that_every_seed_reaches(study):
    told = variants.shifts(study).set_index(["preset", "seed", "group"])["value"]
    assert told["variant-short-first", 1, "NN"] == pytest.approx(-1.0)
    assert told["variant-rare-first", 0, "DT"] == pytest.approx(1.4)
    assert np.isnan(told["variant-rare-first", 2, "NN"])
    table = variants.learning_times(study).set_index("preset")
    assert table.loc["variant-short-first", "difference"] == pytest.approx(-1.0)
    assert table.loc["variant-rare-first", "difference"] == pytest.approx(1.5)
    assert table.loc["variant-rare-first", ["groups", "of"]].tolist() == [2, 3]
    assert table.loc["variant-long-first", ["groups", "of"]].tolist() == [3, 3]
    assert table.loc["variant-long-first", "low"] < 0 < table.loc["variant-long-first", "high"]


def test_what_is_missing_is_no_difference():
    study = made_up(("variant", "variant-grown"))
    assert "variant-short-first" in study.lacking()
    assert "variant-grown" not in study.lacking()
    one_seed = study.evaluations[(study.evaluations["preset"] == "variant") | (study.evaluations["seed"] == 0)]
    alone = replace(study, evaluations=one_seed)
    (row,) = variants.tokens_to_loss(alone).itertuples()
    assert row.why_not == "fewer than 2 seeds"
    without = made_up(("variant-grown",))
    assert variants.tokens_to_loss(without).empty
    (row,) = variants.final_losses(without).itertuples()
    assert row.why_not == "fewer than 2 seeds"
    same = pd.DataFrame(
        [{"control": "a", "preset": name, "seed": seed, "value": 1.0} for name in "ab" for seed in (0, 1)]
    )
    (row,) = variants.against_control(same).itertuples()
    assert (row.why_not, np.isnan(row.low)) == ("seeds do not differ", True)


def tuned(values):
    """A table of fine-tuned scores: by step those of each seed."""
    rows = [
        {"series": "run", "step": step, "tokens": step, "seed": seed, "task": "parity", "group": "", "value": value}
        for step, of_seeds in values.items()
        for seed, value in enumerate(of_seeds)
    ]
    return pd.DataFrame(rows).assign(metric="score", baseline=None, low=0.0, high=1.0, n=10)


def test_a_start_beats_scratch_from_where_it_stays_above_it_to_the_end():
    values = {
        0: (0.50, 0.52, 0.51),
        10: (0.70, 0.71, 0.72),  # once above, which does not last
        20: (0.50, 0.53, 0.51),
        30: (0.60, 0.63, 0.61),
        40: (0.80, 0.83, 0.81),
    }
    losses = pd.DataFrame({"step": [10, 15, 20, 30, 40], "held_out_masked_loss": [7, np.nan, 6, 5, 4]})
    (row,) = scratch.beats_scratch(tuned(values), losses).itertuples()
    interval = stats.ttest_rel(values[40], values[0]).confidence_interval(0.95)
    assert row.step == 30
    assert (row.low, row.high) == pytest.approx((interval.low, interval.high))
    assert row.tau == pytest.approx(1 - 2 * 2 / 6)  # of 6 pairs of checkpoints 10 stands above 20 and 30
    (row,) = scratch.beats_scratch(tuned(values | {50: (0.5, 0.6, 0.4)}), losses).itertuples()
    assert row.step == np.inf
    (row,) = scratch.beats_scratch(tuned({step: seeds[:1] for step, seeds in values.items()})).itertuples()
    assert np.isnan(row.step)
    assert np.isnan(row.tau)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("variants")
        patch.setenv("EMBRYOLOGY_RUNS", str(folder))
        yield folder


def test_what_is_collected_counts_other_text_and_the_smaller_run_apart(home, monkeypatch):
    other = home / "other.txt"
    small = small_preset(home, 75, steps=20, checkpoints=[0, 10, 20], **SHORT)
    other.write_text((home / "articles-75.txt").read_text())
    phases = [{"steps": 10, "corpus": {"source": "text", "path": str(other)}}, {"steps": 10}]
    wide = small.outcome.model.model_dump() | {"hidden_size": 64, "num_attention_heads": 4}
    grown = {"run": "variant-seed{seed}", "step": 10}
    large = small_preset(
        home, 75, steps=20, checkpoints=[0, 10, 20], phases=phases, model=wide, grown_from=grown, **SHORT
    )
    made = {"variant": small, "variant-grown": large}
    for name, preset in made.items():
        train(preset, home / f"{name}-seed0")
    before = script.evaluations(Series.open(home / "variant-seed0")).set_index("step")
    after = script.evaluations(Series.open(home / "variant-grown-seed0")).set_index("step")
    assert before["own_tokens"].tolist() == before["all_tokens"].tolist() == before["tokens"].tolist()
    assert after["own_tokens"].tolist() == [0, 0, after["tokens"][20] - after["tokens"][10]]
    assert (after["all_tokens"] - after["tokens"]).tolist() == [before["tokens"][10]] * 3
    assert before["flops"][20] == 2 * before["flops"][10] > 0
    assert after["flops"][0] == before["flops"][10]
    assert after["flops"][10] - after["flops"][0] > 1.5 * before["flops"][10]
    monkeypatch.setattr(script.presets, "load", lambda name: made.get(name, small))
    script.collect(seeds=1, to=home / "tables")
    study = variants.read(home / "tables")
    assert study.evaluations.groupby("preset").size().to_dict() == {"variant": 3, "variant-grown": 3}
    assert study.made["command"] == "make variants SEEDS=1"
    assert len(study.times) == len(study.scratch) == 0
    assert not RunFolder(home / "variant-seed1").root.exists()


def test_commands_name_every_run_and_what_measures_it(capsys):
    script.commands(seeds=2, program="embryology")
    lines = capsys.readouterr().out.splitlines()
    plan = variants.read().plan["preset"]
    assert sum(line.startswith("embryology pretrain") for line in lines) == 2 * len(plan)
    assert lines[0] == "embryology pretrain variant --seed 0 --run variant-seed0 --resume"
    assert "embryology probe variant-seed1 --probe finetune --preset variant-programs" in lines
    assert "embryology probe variant-bilingual-seed1 --probe forgetting --preset variant-forgetting" in lines
    assert "embryology probe variant-seed0 --probe knowledge --preset variant-knowledge-base" in lines
    file = RunFolder.named("variant-typed-seed1").root / "latent-types.parquet"
    typed = lines.index(f"python benchmarks/latent_types.py variant-typed-seed1 --to {file}")
    assert typed > lines.index("embryology pretrain variant-typed --seed 1 --run variant-typed-seed1 --resume")
    asked = [line for line in lines if line.startswith("embryology probe variant-seed1")]
    assert asked[-1].endswith("variant-knowledge-base")  # what is asked last counts, and holds what is asked plainly
    of_control = max(number for number, line in enumerate(lines) if " variant-seed" in line)
    assert all("variant-seed" in line for line in lines[: of_control + 1])
    assert not [line for line in lines if "probe variant-fr-" in line or "probe variant-es-" in line]
    assert "embryology probe variant-continued-fr-seed0" in lines


def test_the_command_that_replays_names_a_kept_state_and_things_that_are_queries(capsys):
    script.commands(seeds=3, program="embryology")
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    (command,) = [line for line in lines if line[1] == "counterfactual"]
    assert lines.index(command) > lines.index(["embryology", "probe", "variant-seed0"])
    control = presets.load("variant")
    given = dict(zip(command[3:7:2], map(int, command[4:8:2]), strict=True))
    assert given["--from"] in control.speed.keep_states
    assert given["--until"] in control.outcome.checkpoints
    assert command[2] == "variant-seed0"
    assert set(command[7::2]) == {"--without"}
    queries = {without.Query.parse(thing).slug for thing in command[8::2]}
    assert len(queries) == len(command[8::2]) == 20
