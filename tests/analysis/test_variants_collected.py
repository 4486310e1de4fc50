"""What the study of variants keeps of a run, of measurements that were made by hand."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import variants as script
from embryology import presets
from embryology.analysis import forgetting, variants, variants_asked
from embryology.analysis.counterfactual import of_things
from embryology.errors import EmbryologyError
from embryology.runs import counterfactuals, losses, measurements
from embryology.runs.checkpoints import RECORD
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.storage.files import write_json, write_table
from tests.analysis.test_knowledge_base import made_up
from tests.synthetic import configuration, measure, write_manifest

STEPS = (0, 400, 1200)
TOKENS = {0: 0, 400: 4_000, 1200: 12_000}
LOSS = {0: 9.0, 400: 7.0, 1200: 6.0}


def row(task, group, metric, value, n, **also):
    return measurements.row(task, group, metric, value, n=n, seed=0, **also)


def knowledge(step):
    rows = [
        row("bundled", "", "log_probability", -8 + step / 1200, 10),
        row("bundled", "country", "log_probability", -99, 5),
        row("fed", "lives", "gain", step / 100, 200),
        row("fed", "", "gain", 77, 400),
        row("fed", "", "log_probability", 88, 400),
        row("fed/not named", "lives", "gain", 66, 200),
        row("fed/several pieces", "inhabitant", "log_probability", -20, 200),
    ]
    facts = pd.DataFrame(
        {
            "item_id": ["a", "b", "c", "d", "e"],
            "task": ["bundled"] * 4 + ["fed"],
            "object": ["France", "painter", "bird", "bird", "France"],
            "log_probability": [-8 + step, -6.0, -3.0, np.nan, 500.0],
        }
    )
    return rows, facts


def a_run(root, preset, seed=0, trained_as="variant"):
    """With losses and checkpoints, of English; nothing has measured it."""
    folder = RunFolder(root / f"{preset}-seed{seed}")
    for step in STEPS:
        record = {"step": step, "tokens": TOKENS[step], "epoch": 0.0, "sha256": f"{step:064x}"}
        write_json(folder.checkpoint(step) / RECORD, record | {"held_out": {"held_out_masked_loss": LOSS[step]}})
    rows = [
        {"step": step, "tokens": TOKENS[step], "phase": 1 + (step > 400), "held_out_masked_loss": LOSS[step]}
        for step in STEPS
    ]
    losses.write(folder, [each | {"unigram_loss": 8.0} for each in rows])
    outcome = presets.load(trained_as).outcome.model_copy(update={"checkpoints": list(STEPS), "seed": seed})
    write_manifest(folder, outcome)
    write_json(folder.corpus, {"source": "bundled", "languages": {"en": 1.0}})
    return folder


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Fed from step 400 on, as `variant-fed` is; English."""
    folder = a_run(tmp_path_factory.mktemp("runs"), "variant-fed", trained_as="variant-fed")
    for step in STEPS:
        tokens = [
            row("reconstruction", "", "accuracy", 0.5, 40),
            row("reconstruction", "NN", "accuracy", 0.1, 40),
            row("mask-prediction", "NN", "log_probability", -4, 30),
            row("mask-prediction", "DT", "log_probability", -2, 10),
            row("mask-prediction", "NN", "accuracy", 0.9, 30),
            row("mask-prediction", "DT", "log_probability", -1, 10, baseline="most-frequent-word"),
        ]
        measure(folder, "tokens", step, tokens)
        measure(folder, "grammar", step, [row("silver", "", "accuracy", 0.75, 64), row("silver", "", "ties", 1, 64)])
        measure(folder, "knowledge", step, *knowledge(step))
    return Series.open(folder.root)


@pytest.fixture(scope="module")
def evaluated(series):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script, "flops", lambda outcome: np.arange(outcome.steps + 1.0))
        return script.evaluations(series)


def test_of_a_mixture_the_runs_own_share_is_its_own_text(evaluated):
    """Seven of eight sequences after step 400."""
    assert evaluated["own_tokens"].tolist() == [0, 4_000, 4_000 + 8_000 * 7 / 8]
    assert evaluated["all_tokens"].tolist() == [0, 4_000, 12_000]
    assert evaluated["unigram_loss"].tolist() == [8, 8, 8]


def test_what_was_measured_is_kept_by_checkpoint_and_phase(series, evaluated):
    table = script.values(series, evaluated)
    assert set(table["what"]) == {
        *variants_asked.REMEMBERED,
        *("lives", variants_asked.NEIGHBOURS, variants_asked.OTHERS),
    }
    last = table[table["step"] == 1200].set_index("what")["value"]
    expected = {
        variants_asked.LOSS: 6,
        variants_asked.RECONSTRUCTED: 0.5,
        variants_asked.MASKED: (30 * -4 + 10 * -2) / 40,
        variants_asked.GRAMMAR: 0.75,
        variants_asked.KNOWLEDGE: -7,
        "lives": 12,
        variants_asked.NEIGHBOURS: (-8 + 1200 - 6) / 2,
        variants_asked.OTHERS: -3,
    }
    assert last.to_dict() == pytest.approx(expected)
    assert table.groupby("step")["phase"].agg(["min", "max"]).to_numpy().tolist() == [[1, 1], [1, 1], [2, 2]]


def test_what_asks_in_another_language_is_left_out(series, evaluated, monkeypatch, capsys):
    write_json(series.folder.corpus, {"source": "bundled", "path": "fr", "languages": {"fr": 1.0}})
    try:
        assert set(script.values(series, evaluated)["what"]) == {variants_asked.LOSS}
        assert len(script.times(series, evaluated)) == 0
    finally:
        write_json(series.folder.corpus, {"source": "bundled", "languages": {"en": 1.0}})
    assert "probe tokens asks in en, and the training text is fr 100%" in capsys.readouterr().out


def test_things_never_read_are_kept_by_checkpoint(series):
    assert script.never_read(series, 400).empty
    rows = [
        ("text:music", run, "tokens", "mask-prediction", str(item), step, -5.0, -5.0 + effect, item == 0)
        for run, effect in (("without", -2.0), ("floor", 0.5))
        for step in (600, 800)
        for item in range(4)
    ]
    effects = pd.DataFrame(rows, columns=list(counterfactuals.COLUMNS))
    record = {"sequences": 7, "masked": 3, "first": 444}
    counterfactuals.write(counterfactuals.folder(series, 400) / "text-music-0.parquet", effects, record)
    table = script.never_read(series, 400)
    assert table["step"].tolist() == [600, 800]
    assert set(variants.THINGS) <= {*table, "seed"}
    told = table.set_index("step").loc[800]
    assert told[["sequences", "masked", "first", "items", "without", "floor", "low"]].tolist() == [
        *(7, 3, 444, 1, -2, 0.5, 0.5)
    ]
    assert len(of_things(counterfactuals.read(series, 400))) == 1
    assert script.never_read(series, 500).empty


def fine_tuned(step):
    """Plainly a nat is lost, with replay half of it; two seeds of fine-tuning, which differ by 0.2."""
    right = [measurements.row(task, "learnt", "accuracy", 0.8, n=9, seed=0) for task in ("plain", "replay")]
    lost = [
        measurements.row(task, "en", "forgotten", nats + 0.2 * tuning, n=9, seed=tuning)
        for task, nats in (("plain", 1.0), ("replay", 0.5))
        for tuning in (0, 1)
    ]
    return [
        *right,
        *lost,
        measurements.row("plain", "en", "masked_loss", 6.0, n=9, seed=0, baseline="before"),
        measurements.row("plain", "en", "masked_loss", 7.0 + step / 1200, n=9, seed=0, baseline="unigram"),
    ]


def types_of(folder, seed, steps=STEPS):
    rows = [("tag", 500, 9, 0.25, 0.3, 0.1, 0.2, step, seed) for step in steps]
    columns = [*("label", "words", "types", "typed", "value", "permuted", "frequency"), "step", "seed"]
    write_table(folder.root / "latent-types.parquet", pd.DataFrame(rows, columns=columns))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A finished control, a bilingual and a typed run, of one seed."""
    monkeypatch.setenv("EMBRYOLOGY_RUNS", str(tmp_path))
    monkeypatch.setattr(script, "flops", lambda outcome: np.arange(outcome.steps + 1.0))
    monkeypatch.setattr(
        script.manifest, "is_complete", lambda folder, preset: folder.name == f"{preset.name}-seed{preset.outcome.seed}"
    )
    control, bilingual, typed = (a_run(tmp_path, name) for name in ("variant", "variant-bilingual", "variant-typed"))
    items = made_up()
    for step, asked in zip(STEPS, (0, 10, 10), strict=True):
        own = items[items["step"] == asked].drop(columns="step").assign(object="bird", task="bundled")
        measure(control, "knowledge", step, knowledge(step)[0][:1], own, {"contexts": ["sentence"]})
        measure(bilingual, "forgetting", step, fine_tuned(step))
    types_of(typed, 0)
    return tmp_path


def test_what_is_asked_of_one_preset_is_kept_and_read_back(home):
    script.collect(seeds=1, to=home / "tables")
    study = variants.read(home / "tables")
    told = study.contexts.set_index(["facts", "measure", "step"])
    asked = made_up().query("step == 10").dropna(subset="in_context_sentence")
    assert set(study.contexts["preset"]) == {"variant"}
    assert told.loc[("all", "correct", 1200), ["n", "with", "wrong", "more"]].tolist() == pytest.approx(
        [
            *(35, asked["correct_with_sentence"].mean(), asked["correct_wrong_sentence"].mean()),
            asked["correct_with_sentence"].mean() - asked["correct"].mean(),
        ]
    )
    frame = variants_asked.tags(study)
    assert set(frame["series"]) == {"variant-bilingual-seed0"}
    cells = forgetting.by_checkpoint(frame).set_index(["task", "group", "step"])["value"]
    assert cells["plain", "en", 1200] == pytest.approx(1.1)
    assert cells["replay", "", 400] == pytest.approx(0.6)
    assert "its masked loss is 2.00 nats below" in forgetting.said(frame)
    beside = forgetting.beside_plain(frame[frame["metric"] == "forgotten"])
    assert set(zip(beside["n"], beside["unit"], strict=True)) == {(2, "seed")}
    assert study.types[["preset", "seed", "step", "label", "value"]].to_numpy().tolist() == [
        ["variant-typed", 0, step, "tag", 0.3] for step in STEPS
    ]
    assert variants_asked.types(study)["beyond"].tolist() == pytest.approx([0.1] * 3)


def test_facts_asked_plainly_again_have_no_contexts_and_the_same_values(home, capsys):
    control = Series.open(home / "variant-seed0")
    with_contexts = script.values(control, script.evaluations(control))
    for step, asked in zip(STEPS, (0, 10, 10), strict=True):
        items = made_up().query(f"step == {asked}").filter(regex="^(?!.*sentence)").drop(columns="step")
        measure(control.folder, "knowledge", step, knowledge(step)[0][:1], items.assign(object="bird", task="bundled"))
    plain = Series.open(home / "variant-seed0")
    assert script.in_context(plain).empty
    pd.testing.assert_frame_equal(script.values(plain, script.evaluations(plain)), with_contexts)
    assert (
        "variant-seed0: facts with contexts do not count now, left out (embryology probe variant-seed0 --probe "
        "knowledge --preset variant-knowledge-base measures nothing twice)"
    ) in capsys.readouterr().out


def test_types_of_another_seed_or_of_other_checkpoints_are_refused(home):
    typed = Series.open(home / "variant-typed-seed0")
    for wrong in ({"seed": 1}, {"seed": 0, "steps": STEPS[:2]}):
        types_of(typed.folder, **wrong)
        with pytest.raises(EmbryologyError, match="not of the seed and the checkpoints of variant-typed-seed0; remove"):
            script.types(typed)
    script.file_of_types("variant-typed-seed0").unlink()
    assert script.types(typed).empty


def let_stand(folder, probe, settings=None, version=None, **data):
    own = configuration(probe, **(settings or {}))
    measurements.let_stand(folder, own.model_copy(update={"data": data, "version": version or own.version}))


def test_gold_and_bundled_data_are_not_mixed(home):
    """A variant and its control ask alike, and so do seeds; a fed run asks for facts of its own."""
    names = [("variant", 0), ("variant-grown", 0), ("variant-fed", 0), ("variant-fr", 0)]
    there = {(name, seed): Series.open(a_run(home, name, seed).root) for name, seed in names}
    control, grown, fed, french = (series.folder for series in there.values())
    let_stand(control, "tokens", treebank="silver", spacy="3")
    let_stand(control, "knowledge", {"sets": "auto", "contexts": ["types"]}, bundled={"relations": "1"}, contexts="x")
    let_stand(grown, "tokens", treebank="silver", spacy="3", precision="bfloat16")
    let_stand(grown, "knowledge", {"sets": "auto"}, bundled={"relations": "1"}, **{"training text": "another"})
    let_stand(fed, "knowledge", {"sets": ["bundled", "fed"]}, bundled={"relations": "1"}, fed={"version": 1})
    let_stand(french, "tokens", {"treebank": "mine.conllu"}, treebank="own", file="0")
    let_stand(grown, "attention", treebank="ewt")
    script.refuse_mixed(there)
    let_stand(grown, "tokens", treebank="ewt", file="1")
    with pytest.raises(
        EmbryologyError,
        match=r"probe tokens asked variant-seed0 and variant-grown-seed0 different things \(file, spacy, treebank\)",
    ):
        script.refuse_mixed(there)
    let_stand(grown, "tokens", treebank="silver", spacy="3")
    let_stand(grown, "knowledge", {"sets": "auto"}, trex={"facts": "2"})
    with pytest.raises(EmbryologyError, match=r"probe knowledge asked .* \(bundled, trex\), which no table can hold"):
        script.refuse_mixed(there)
    let_stand(grown, "knowledge", {"sets": "auto"}, 5, bundled={"relations": "1"})
    with pytest.raises(EmbryologyError, match=r"\(version\)"):
        script.refuse_mixed(there)


def test_nothing_is_collected_of_runs_that_were_asked_different_things(home):
    other = a_run(home, "variant-grown")
    control = RunFolder(home / "variant-seed0")
    let_stand(control, "grammar", silver={"rules": 1})
    let_stand(other, "grammar", blimp={"file": "0"})
    with pytest.raises(EmbryologyError, match="probe grammar asked variant-seed0 and variant-grown-seed0"):
        script.collect(seeds=1, to=home / "tables")
    assert not (home / "tables").exists()


def test_what_has_not_measured_the_end_is_left_out(home, capsys):
    """Else an earlier checkpoint would be told as the last one."""
    for name, ask, probe in (
        ("variant", script.in_context, "knowledge"),
        ("variant-bilingual", script.tags, "forgetting"),
    ):
        folder = RunFolder(home / f"{name}-seed0")
        (file,) = folder.measurements.glob(f"{probe}/*/00001200-*.parquet")
        file.unlink()
        assert len(ask(Series.open(folder.root))) == 0
        said = f"{name}-seed0: probe {probe} has measured step 400 last, and not its end at step 1200, left out"
        assert said in capsys.readouterr().out
    control = Series.open(home / "variant-seed0")
    assert set(script.values(control, script.evaluations(control))["what"]) == {variants_asked.LOSS}
