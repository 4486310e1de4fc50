"""The figure and the sentences of the chapter on variants, of runs whose curves are known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from embryology.analysis import variants
from embryology.figures import columns
from embryology.figures import variants as drawn
from embryology.storage.files import read_yaml
from tests.analysis.test_variants import SPEEDS, made_up
from tests.figures.reading import bars, cells_of, line, seen

PLAN = read_yaml(variants.FOLDER / variants.PLAN)
HELD = sum(each["control"] is not None for each in PLAN)
"""Against a control; others are asked a question of their own."""
PLANNED = sum(each["control"] is not None or "asked" in each for each in PLAN)


@pytest.fixture(scope="module")
def study():
    return made_up()


@pytest.fixture(scope="module")
def nothing():
    return variants.read(variants.FOLDER / "nowhere")


def test_sentences_name_what_seeds_do_not_explain(study):
    values = drawn.numbers(study)
    assert values["loss"] == (
        "The control's loss comes sooner with short sentences first and widened from a narrow one (FPI); 1 of 4 "
        "variants cannot be told from their control; of 1 it cannot be said."
    )
    assert values["times"] == (
        "Words come sooner with short sentences first; words come later with rare pieces first; 1 of 3 variants cannot "
        "be told from their control."
    )
    assert (values["planned"], values["run"], values["seeds"]) == (str(PLANNED), "4", "3 seeds")
    assert values["lacking"].startswith(
        "French, Spanish, another topic afterwards, another topic afterwards with replay"
    )
    assert values["lacking"].endswith("and latent types beside masked words")
    assert drawn.opening(study).data.startswith(
        f"4 of {PLANNED} variants have been run; those that have not are French,"
    )
    said = drawn.sooner_or_later(study).data
    assert said == f"{values['loss']} {values['times']} Half the width of an interval of tokens {values['noise']}."
    alone = replace(study, evaluations=study.evaluations[study.evaluations["seed"] == 0])
    assert drawn.numbers(alone)["seeds"] == "1 seed"
    table = variants.tokens_to_loss(study).set_index("preset")
    half = table.loc["variant-grown", "high"] - table.loc["variant-grown", "difference"]
    assert values["noise"] == f"is a factor of {2**half:.2f}"


def test_of_what_has_not_been_run_nothing_is_said(nothing):
    values = drawn.numbers(nothing)
    assert values["loss"].startswith("No variant has been run with its control")
    assert (values["run"], values["noise"], values["seeds"]) == ("0", "cannot be told yet", "no seeds")
    assert drawn.beside_control(nothing).data == ""
    for page in (drawn.table(nothing), drawn.groups(nothing), drawn.scratch(nothing), drawn.made(nothing)):
        assert "not run yet" in page.data


def test_bands_and_seeds_stand_in_the_row_of_their_variant(study):
    shown = seen(drawn.beside_control, study)
    left, right = shown.figure.axes
    names = study.variants["preset"].tolist()
    table = variants.tokens_to_loss(study).set_index("preset")
    expected = {
        (len(names) - 1 - names.index(name), row["low"], row["high"])
        for name, row in table.iterrows()
        if not np.isnan(row["low"])
    }
    drawn_ends = [tuple(ends) for group in bars(left) for ends in group]
    assert np.array(sorted(drawn_ends)) == pytest.approx(np.array(sorted(expected)))
    assert len(expected) == 3
    row = len(names) - 1 - names.index("variant-grown")
    logs = [np.log2(48 / np.array(SPEEDS[name])) for name in ("variant-grown", "variant")]
    marks = [found.get_xydata() for found in left.lines if found.get_ydata()[0] == row and len(found.get_xdata()) == 3]
    assert marks[0] == pytest.approx(np.array([(value, row) for value in logs[0] - logs[1].mean()]))
    assert line(right, "control")[:, 0].tolist() == [0, 0]
    labels = [label.get_text() for label in left.get_yticklabels()]
    assert labels == study.variants["changed"].tolist()
    said = [text.get_text() for text in left.texts]
    assert said.count("not run yet") == HELD - 4
    assert [text.get_text() for text in right.texts].count("not measured yet") == 1
    assert said.count("2 of 3 seeds do not get there") == 1
    assert "Dunnett" in shown.caption
    assert "75% of its text" in shown.caption
    assert f"4 of {HELD} variants have been run" in shown.caption
    kept = shown.data[shown.data["measure"].str.startswith("tokens of its own")].set_index("preset")
    value = kept.loc["variant-short-first", "shift"]
    assert value == pytest.approx(table.loc["variant-short-first", "difference"])
    meanings = dict(columns.key(shown.data))
    assert meanings["shift"].startswith("doublings of the tokens")
    assert not [name for name, meaning in meanings.items() if "tiny" in meaning]


def test_the_table_says_factors_and_the_loss_in_nats(study):
    cells = {row[1]: row[3:] for row in cells_of(drawn.table(study).data) if len(row) > 3}
    run = study.variants[study.variants["preset"].isin(study.evaluations["preset"])]
    assert set(cells) == set(run["changed"])
    assert 0 < len(run) < len(study.variants)
    row = variants.tokens_to_loss(study).set_index("preset").loc["variant-short-first"]
    said = [f"{2 ** row[end]:.2f}" for end in ("difference", "low", "high")]
    assert cells["short sentences first"][0] == f"{said[0]} ({said[1]} to {said[2]})"
    grown, plain = (cells[name] for name in ("widened from a narrow one (FPI)", "short sentences first"))
    assert grown[0] != grown[1]
    assert grown[3] == "not measured yet"
    assert plain[0][:5] == plain[1][:5] == "0.50 "
    assert cells["rare pieces first"][:2] == ["2 of 3 seeds do not get there"] * 2
    mean = np.mean([0.05 * 64 * (one - other) for one, other in zip(SPEEDS["variant"], (2.0, 2.1, 1.9), strict=True)])
    assert cells["short sentences first"][-1].startswith(f"{mean:+.3f} (")


def test_groups_and_scratch_are_told_by_seed(study):
    rows = cells_of(drawn.groups(study).data)
    by_name = {row[0]: row[1:] for row in rows if row}
    assert by_name["rare pieces first"][1] == "+1.40, +1.50, never"
    told = pd.DataFrame(
        {
            "preset": "variant",
            "seed": [0, 1, 2],
            "task": "parity",
            "step": [300, np.inf, np.nan],
            "tau": [0.5, -1, np.nan],
        }
    )
    cells = cells_of(drawn.scratch(replace(study, scratch=told)).data)
    assert ["parity", "300; never; cannot be told", "+0.50; -1.00; cannot be told"] in cells
