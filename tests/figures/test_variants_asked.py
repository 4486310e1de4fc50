"""The sections of the page on variants, of tables whose truth is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.analysis import forgetting, knowledge_base, variants, variants_asked
from embryology.figures import variants_asked as drawn
from embryology.figures import variants_said as said
from embryology.specs.knowledge import CONTEXTS
from tests.analysis import test_forgetting, test_knowledge_base, test_variants
from tests.analysis.test_variants_asked import ENDS, GAINS, NOISE, REPLAY, SEEDS, SHIFT, TOPIC, full, spoken, things
from tests.figures.reading import bands, bars, cells_of, line, seen, words_in

COVERS = ("embryology/figures/variants_said.py",)


@pytest.fixture(scope="module")
def nothing():
    return variants.read(variants.FOLDER / "nowhere")


@pytest.fixture(scope="module")
def study(nothing):
    return full(nothing)


def more_things(effect, noise=0.02):
    """Four things, of which the effects at the last checkpoint are known."""
    own = things()
    own = own[(own["query"] == "text:music") & (own["seed"] == 0)]
    rows = [
        own.assign(query=f"text:{name}", without=effect * scale * own["step"] / 800, floor=noise * (-1) ** scale)
        for scale, name in enumerate(("one", "two", "three", "four"), 1)
    ]
    return pd.concat(rows, ignore_index=True)


def test_an_effect_is_told_beyond_the_noise_floor(study):
    told = replace(study, things=more_things(-1.0))
    sentence = said.never_read(told).data
    apart = [-scale - 0.02 * (-1) ** scale for scale in (1, 2, 3, 4)]
    low, high = stats.ttest_1samp(apart, 0).confidence_interval(0.95)
    assert low < high < 0
    assert sentence.startswith(
        f"Never read, a thing is less likely by {np.mean(apart):+.3f} nats ({low:+.3f} to {high:+.3f}) beyond the "
        "noise floor: at step 800 the log-probability of what asks for one of 4 things changes by -2.500 nats ("
    )
    assert sentence.endswith(
        "where as many other sequences were not; each by itself, 4 of 4 change by more than 95% of all other items do "
        "there."
    )


def test_no_effect_and_too_few_things_are_said_so(study, nothing):
    none = said.never_read(replace(study, things=more_things(0.0001))).data
    assert none.startswith("On average no effect of a thing never read is shown beyond noise, ")
    assert "; each by itself, 0 of 4 change by more" in none
    assert said.never_read(study).data.startswith("Whether a thing never read does more than noise cannot be told")
    unasked = study.things[study.things["query"] == "text:none"]
    assert said.never_read(replace(study, things=unasked)).data == (
        "No item asks for any of 1 things, so that nothing can be told of them."
    )
    assert said.never_read(nothing).data == "One thing never read: not run yet."


def test_things_are_drawn_beside_the_noise_floor(study):
    shown = seen(drawn.never_read, replace(study, things=more_things(-1.0)))
    (axis,) = shown.figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["one", "two", "three", "four"]
    assert line(axis, "never read").tolist() == [[-1, 0], [-2, 1], [-3, 2], [-4, 3]]
    floor = line(axis, "noise floor: as many other sequences not read")
    assert floor[:, 0].tolist() == [-0.02, 0.02, -0.02, 0.02]
    (ends,) = bars(axis)
    assert ends.tolist() == [[row, -0.1, 0.1] for row in range(4)]
    assert shown.data["step"].unique().tolist() == [800]
    assert shown.answer in shown.alt


def test_what_is_forgotten_and_regained_is_said_and_drawn(study):
    topic, replayed, *others = said.continued(study).data.splitlines()
    assert "held-out loss of the old text: 0.503 nats (" in topic
    assert ") forgotten, 0.397 nats (" in topic
    assert topic.count("regained") == 2
    assert "masked words: 0.497 nats" in topic
    assert "none shown to be regained; nothing is shown to be forgotten of grammar; " in topic
    assert topic.endswith("not measured: words reconstructed and knowledge.")
    assert "replay" in replayed
    assert [each.endswith(": not run yet.") for each in others] == [True, True]
    shown = seen(drawn.continued, study)
    assert shown.answer == (
        "Of 6 measures of continued runs 4 are worse after another text, and 3 of these better again after a pass over "
        "the old one"
    )
    axis = shown.panel(variants_asked.LOSS)
    own = line(axis, "another topic afterwards with replay")
    ends = ENDS[REPLAY, variants_asked.LOSS]
    expected = [0, ends[1] - ends[0] + np.mean(SHIFT), ends[2] - ends[0] + 2 * np.mean(SHIFT)]
    assert own[:, 0].tolist() == [1200, 1600, 1800]
    assert own[:, 1] == pytest.approx(expected)
    low, high = stats.t.interval(0.95, 2, ends[1] - ends[0] + np.mean(SHIFT), stats.sem(SHIFT))
    assert bands(axis)[1][1] == pytest.approx([1600, low, high])
    assert "not measured" in words_in(shown.panel(variants_asked.KNOWLEDGE))
    (border,) = [found.get_xdata()[0] for found in axis.lines if found.get_linestyle() == ":"]
    assert border == 1600


def test_what_replay_spares_is_said(study):
    values = study.values.copy()
    plain = (values["preset"] == TOPIC) & (values["step"] == 1600)
    values.loc[plain, "value"] += 0.01 * values["seed"] * np.where(values["what"] == variants_asked.LOSS, 1, -1)
    text = said.continued(replace(study, values=values)).data.splitlines()[1]
    low, high = stats.ttest_1samp([0.4, 0.41, 0.42], 0).confidence_interval(0.95)
    assert f"replay spares 0.410 nats ({low:.3f} to {high:.3f}) of held-out loss of the old text" in text
    assert "it cannot be told whether replay spares any" in text


def test_the_table_says_points_and_nats(study):
    rows = cells_of(drawn.forgotten(study).data)
    (row,) = [row for row in rows if row[:2] == ["another topic afterwards", "masked words"]]
    table = variants_asked.forgetting(study).set_index(["preset", "what"]).loc[TOPIC, variants_asked.MASKED]
    expected = [
        f"{table[name]:+.3f} ({table[f'{name}_low']:+.3f} to {table[f'{name}_high']:+.3f})"
        for name in ("forgotten", "regained")
    ]
    assert row[2:] == ["log-probability, nats", *expected]


def test_a_fact_known_only_as_it_was_fed_is_said_so(study):
    text = said.fed(study).data
    known, rest = text.split(". Cannot be told", 1)
    assert known.startswith("Known beyond people who are never told of: country as it was fed, +1.90 nats (")
    assert "; work as it was fed, +1.00 nats (" in known
    assert "not fed" not in known
    assert "friend" not in known
    assert rest.startswith(
        " from what seeds do: country in words not fed, work in words not fed and country of a friend from two fed "
        "facts."
    )
    assert (
        "Of inhabitant of a country it cannot be said (no gain was measured, as of answers of several pieces)" in rest
    )
    assert "Facts about the same objects are forgotten: -0.4" in rest
    assert "all others cannot be told from what seeds do: +0.01" in rest
    shown = seen(drawn.fed, study)
    left, right = shown.figure.axes
    own = line(left, "country as it was fed")
    assert own[:, 1] == pytest.approx(np.array([np.mean(NOISE), GAINS["lives"] + np.mean(NOISE)]))
    never = line(left, "country of people never told of")
    assert never[-1, 1] == pytest.approx(GAINS["lives-never"] + np.mean(NOISE))
    low, high = stats.t.interval(0.95, 2, GAINS["lives"] + np.mean(NOISE), stats.sem(NOISE))
    assert bands(left)[0][-1] == pytest.approx([1200, low, high])
    assert line(right, variants_asked.NEIGHBOURS)[-1, 1] == pytest.approx(-0.5 + np.mean(NOISE) / 10)
    assert shown.answer.endswith("known at the end: country as it was fed and work as it was fed")


def test_nothing_known_and_nothing_measured_beside_are_said_so(study):
    values = study.values[~study.values["what"].isin(["lives", "works"]) & (study.values["preset"] != "variant")]
    text = said.fed(replace(study, values=values)).data
    assert text.startswith("No fact is shown to be known. Cannot be told from what seeds do: ")
    assert text.endswith("Facts that were not fed were not measured in the control at the end.")


def test_languages_say_what_can_be_told(study):
    french, spanish = said.languages(study).data.splitlines()
    assert french.startswith("- **French**: it ends 0.50 nats (0.47 to 0.53) below the line")
    assert "as English does by 1.00 nats (0.97 to 1.03); its 5 groups of words come in the order" in french
    assert french.endswith("by tau +1.00, where seeds of English agree by +1.00.")
    assert spanish == "- **Spanish**: not run yet."
    evaluations, times = spoken("DET NOUN")
    at_line = evaluations.assign(
        unigram_loss=evaluations["unigram_loss"].where(evaluations["preset"] == "variant", 5.5)
    )
    french = said.languages(replace(study, evaluations=at_line, times=times)).data.splitlines()[0]
    assert "it is not shown to end below the line of its own pieces, -0.00 nats" in french
    assert "cannot be told: 0 groups of words have a learning time in both languages, of 5 that are needed" in french
    one = said.languages(replace(study, evaluations=evaluations[evaluations["seed"] == 0])).data
    assert "cannot be told (fewer than 2 seeds)" in one


def test_a_section_says_how_each_variant_stands_beside_its_control():
    study = test_variants.made_up()
    by_name = {row.split("**")[1]: row for row in said.against_control(study, "curriculum").data.splitlines()}
    table = variants.tokens_to_loss(study).set_index("preset").loc["variant-short-first"]
    factors = [f"{2 ** table[end]:.2f}" for end in ("difference", "low", "high")]
    short = by_name["short sentences first"]
    assert (
        f"the control's loss sooner, {factors[0]} ({factors[1]} to {factors[2]}) times the tokens of the control"
        in short
    )
    assert "words sooner, " in short
    assert "the loss at the end lower, -" in short
    assert "the control's loss cannot be told from what seeds do, " in by_name["long sentences first"]
    assert (
        "the control's loss cannot be told (2 of 3 seeds do not get there); words later" in by_name["rare pieces first"]
    )
    assert by_name["frequent pieces first"] == "- **frequent pieces first**: not run yet."
    grown = said.against_control(study, "grown").data
    assert "words not measured" in grown


def test_programs_are_told_by_every_seed(study):
    rows = [("variant", seed, "parity", step, 0.5) for seed, step in enumerate((300, 600, 300))]
    rows += [("variant", seed, "sorted", step, 0.5) for seed, step in enumerate((300, np.inf, 300))]
    rows += [("variant", seed, "range", np.nan, 0.5) for seed in range(3)]
    frame = pd.DataFrame(rows, columns=list(variants.SCRATCH))
    assert said.programs(replace(study, scratch=frame)).data == (
        "parity: better than scratch from step 300 to 600 on, by seed; sorted: better than scratch in 2 of 3 seeds; "
        "range: cannot be told."
    )


def tuned():
    """As it is collected: the runs' seeds, and those of fine-tuning."""
    frame = test_forgetting.frame(["variant-bilingual-seed0", "variant-bilingual-seed1", "variant-bilingual-seed2"])
    frame = frame.rename(columns={"seed": "tuning"})
    return frame.assign(preset="variant-bilingual", seed=frame["series"].str[-1].astype(int)).drop(columns="series")


def test_what_is_kept_by_fine_tuning_rests_on_runs(nothing):
    study = replace(nothing, tags=tuned())
    text = said.tagged(study).data
    assert text.endswith("Rests on 3 runs; 95% t intervals over them.")
    runs = [f"variant-bilingual-seed{seed}" for seed in range(3)]
    assert text == forgetting.said(test_forgetting.frame(runs))
    assert len(cells_of(drawn.tagged(study).data)) == 2 * 3


def test_what_a_knowledge_base_does_rests_on_seeds(nothing):
    by_seed = {seed: knowledge_base.beside_plain(test_knowledge_base.made_up(seed, helps=0.8)) for seed in (0, 1, 2)}
    rows = pd.concat([table.assign(preset="variant", seed=seed) for seed, table in by_seed.items()])
    study = replace(nothing, contexts=rows)
    last = rows[(rows["step"] == 10) & (rows["facts"] == "all") & (rows["measure"] == "correct")]
    text = said.at_hand(study).data
    assert text.startswith(
        f"The first sentence of the object's article helps: {last['with'].mean():.1%} of facts are right with it, "
        f"{last['without'].mean():.1%} without"
    )
    assert text.endswith(". Rests on 3 seeds; 95% t intervals over them.")
    low, high = stats.ttest_1samp(100 * last["more"], 0).confidence_interval(0.95)
    (row,) = [row for row in cells_of(drawn.at_hand(study).data) if row[1:2] == ["all (35)"] and "%" in row[3]]
    assert row[6] == f"{100 * last['more'].mean():+.2f} points ({low:+.2f} to {high:+.2f})"


def test_contexts_are_drawn_through_training(nothing):
    by_seed = {seed: knowledge_base.beside_plain(test_knowledge_base.made_up(seed)) for seed in SEEDS}
    rows = pd.concat([table.assign(preset="variant", seed=seed) for seed, table in by_seed.items()], ignore_index=True)
    logs = rows["measure"] == "log_probability"
    for name in ("more", "beyond"):
        rows.loc[logs & (rows["step"] == 10), name] += 5
    study = replace(nothing, contexts=rows)
    shown = seen(drawn.contexts, study)
    axis = shown.figure.axes[1]
    assert axis.get_title("left").replace("\n", " ") == "the first sentence of the object's article"
    own = rows[logs & (rows["facts"] == "all")]
    for number, (name, what) in enumerate(drawn.LIKELIER.items()):
        known = own.pivot(index="step", columns="seed", values=name)
        assert line(axis, what) == pytest.approx(np.column_stack([known.index, known.mean(axis=1)]))
        last = known.loc[10]
        low, high = stats.ttest_1samp(last, 0).confidence_interval(0.95)
        assert bands(axis)[number][-1] == pytest.approx([10, low, high])
    article = "the first sentence of the object's article"
    assert shown.answer == f"Objects are shown likelier with {article} than without it and with another's"
    assert [words_in(axis) for axis in shown.figure.axes[::2]] == [["not asked"]] * 2
    alike = replace(study, contexts=rows.assign(beyond=rows["beyond"] - 5 * (rows["step"] == 10)))
    assert seen(drawn.contexts, alike).answer.startswith("Objects are shown likelier with no context than without")
    alone = replace(study, contexts=rows[rows["seed"] == 0])
    assert seen(drawn.contexts, alone).answer.endswith(f"another's; of {article} it cannot be told")
    kinds = pd.concat([alone.contexts.assign(context=kind) for kind in CONTEXTS])
    assert seen(drawn.contexts, replace(study, contexts=kinds)).answer == drawn.UNTOLD


def test_what_types_say_rests_on_seeds(nothing):
    rows = [
        ("variant-typed", seed, step, label, 500, 9, 0.25, 0.5 + NOISE[seed] / 10, 0.1, 0.2)
        for seed in SEEDS
        for step in (0, 1200)
        for label in ("tag", "entity")
    ]
    study = replace(nothing, types=pd.DataFrame(rows, columns=list(variants.TYPES)))
    text = said.typed(study).data
    assert text.startswith("Types say part of speech beyond frequency and chance (V-measure 0.50, 0.10 permuted within")
    assert text.endswith("25% of words have a type, of 9. Rests on 3 seeds; 95% t intervals over them.")
    low, high = stats.ttest_1samp(0.3 + np.array(NOISE) / 10, 0).confidence_interval(0.95)
    assert cells_of(drawn.typed(study).data)[2][-1] == f"{0.3 + np.mean(NOISE) / 10:+.3f} ({low:+.3f} to {high:+.3f})"
    alone = said.typed(replace(study, types=study.types[study.types["seed"] == 1])).data
    assert alone.startswith("Whether types say part of speech cannot be told")
    assert alone.endswith("Rests on 1 seed.")


def test_of_what_has_not_been_run_nothing_is_said(nothing):
    assert said.tagged(nothing).data == "Fine-tuned without forgetting: not run yet."
    assert said.at_hand(nothing).data == "A knowledge base at hand: not run yet."
    assert said.typed(nothing).data == "Sparse types: not run yet."
    for table in (drawn.tagged, drawn.at_hand, drawn.typed):
        assert "No run " in table(nothing).data
    assert said.fed(nothing).data == "Made-up facts: not run yet."
    assert said.programs(nothing).data == "Tasks made by program: not run yet."
    assert said.languages(nothing).data.splitlines() == ["- **French**: not run yet.", "- **Spanish**: not run yet."]
    assert {row.split(": ", 1)[1] for row in said.continued(nothing).data.splitlines()} == {"not run yet."}
    for draw in (drawn.never_read, drawn.continued, drawn.fed, drawn.contexts):
        assert draw(nothing).data == ""
    assert "not run yet" in drawn.forgotten(nothing).data
