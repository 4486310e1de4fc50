"""Single facts through pretraining, of histories that are made by hand."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from embryology.analysis import trajectories as analysis
from embryology.analysis.knowledge import Followed
from embryology.analysis.permuted import Chance
from embryology.analysis.trajectories import Forgetting, HalfLife, Trajectories, TwoStates
from embryology.figures import style
from embryology.figures import trajectories as drawn
from tests.figures.reading import answer_of, line, seen

STEPS = np.array([0, 10, 20, 40, 80])
PATTERNS = {"00000": 40, "00111": 30, "01011": 20, "00110": 10, "01101": 8, "01111": 12}
"""How many facts have which history: 40 are never right, and 70 are at the end."""
FACTS = sum(PATTERNS.values())
LIFE = HalfLife(2.5, 2.0, 3.75)


@pytest.fixture(scope="module")
def followed():
    """Facts of 60 objects; every sixth object is the most common one of its relation, and the text tells it most."""
    histories = [letter == "1" for pattern, n in PATTERNS.items() for letter in pattern * n]
    known, number = np.reshape(histories, (FACTS, 5)), np.arange(FACTS)
    facts = pd.DataFrame(
        {
            "item_id": [f"P19:{i}" for i in number],
            "group": "P19",
            "together": np.where(number % 6 == 0, 20.0, np.minimum(number % 5 + known.any(axis=1), 4)),
            "common": number % 6 == 0,
            "subject": [f"Subject {i}" for i in number],
            "object": "object",
        }
    )
    return Followed(Trajectories(facts, STEPS, known, number // 2), "correct", Chance(400.0, 100.0, 0.004), 150)


def fit(low=0.01, high=0.5):
    """Of two states, of which half goes in a doubling; to find one takes longer than all else."""
    return Forgetting(TwoStates(0.0, 0.5, np.log(2), 0.0, 0.0), low, high, chance=0.25)


@pytest.fixture(scope="module")
def values(followed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analysis, "forgetting", lambda paths: fit())
        return drawn.numbers(followed)


def test_facts_are_counted_as_their_histories_are(values):
    assert (
        values
        | {
            "criterion": "the likeliest of all pieces",
            "facts": "120",
            "facts_all": "150",
            "checkpoints": "5",
            "ever": "80",
            "right_at_end": "70",
            "forgotten": "38",  # 20 that come back, 10 that do not, 8 that come back
            "relearnt": "28",
            "chance": "400 known at all checkpoints together, 100 with permuted subjects (p = 0.004)",
        }
        == values
    )


@pytest.fixture
def told(followed, values, monkeypatch):
    """A sentence on what comes and goes, of a fit and a half-life that are given."""

    def told(low=0.01, high=0.5, life=LIFE):
        monkeypatch.setattr(analysis, "forgetting", lambda paths: fit(low, high))
        monkeypatch.setattr(analysis, "half_life", lambda *_: life)
        return drawn._come_and_go(followed, values)

    return told


def test_a_rate_is_told_as_the_share_that_goes_in_a_doubling_with_its_interval_and_chance(told):
    """At a rate of log(2) half goes; the expected losses are those of answers in random order."""
    share = [f"{100 * (1 - np.exp(-rate)):.1f}%" for rate in (0.01, 0.5, 0.25)]
    order = sum(n * pattern.count("1") * pattern.count("0") / 5 for pattern, n in PATTERNS.items())
    said = told()
    assert f"in random order, facts would be forgotten {order:,.0f} times:" in said
    assert (
        f"finds that 50.0% ({share[0]} to {share[1]}) of known facts are forgotten in a doubling of the steps, where "
        f"answers without forgetting would show up to {share[2]}: not more than chance."
    ) in said
    assert said.endswith("half of right answers would be wrong after 2.50 (2.00 to 3.75) doublings.")
    assert ": more than chance." in told(low=0.26)
    assert told(life=HalfLife(2.5, np.nan, np.nan)).endswith("wrong after 2.50 doublings.")
    assert told(life=HalfLife(np.inf, np.nan, np.nan)).endswith("None that is known is lost again.")
    assert told(life=None).endswith("None is known before the last checkpoint.")


def test_gains_and_losses_are_told_of_facts_and_of_their_objects(told, followed):
    known = followed.paths.known
    pairs = known.reshape(60, 2, 5)
    gained = pairs & ~np.pad(pairs, ((0, 0), (0, 0), (1, 0)))[..., :-1]
    whole = gained.sum(axis=1)
    times = (whole > 0).sum()
    assert told().startswith(
        f"Facts are learnt {gained.sum()} times ({times} times by object, "
        f"{100 * whole[whole == 2].sum() / whole.sum():.0f}% with all others of their object), forgotten 38 times ("
    )


def test_the_correlation_is_of_facts_without_the_most_common_objects(followed, values):
    """Within one relation it is Spearman's of the count with how early a fact is right, never last."""
    paths = followed.paths
    first = np.where(paths.known.any(axis=1), paths.known.argmax(axis=1), 5)
    others = ~paths.facts["common"].to_numpy()
    rho = stats.spearmanr(paths.facts["together"][others], -first[others]).statistic
    assert float(values["frequency"].split()[0]) == pytest.approx(rho, abs=0.006)
    of_all = stats.spearmanr(paths.facts["together"], -first).statistic
    assert abs(of_all - rho) > 0.02
    only = replace(paths, facts=paths.facts.assign(common=True))
    assert drawn._correlation(only) == "not to be told, as there are no other facts"


def test_bars_stand_on_each_other_and_losses_hang(followed, values):
    shown = seen(drawn.flow, followed, values)
    stock, change = shown.figure.axes
    expected = {
        "known": [0, 40, 60, 52, 42],
        "relearnt": [0, 0, 0, 20, 28],
        "forgotten": [0, 0, 20, 8, 10],
        "never": [120, 80, 40, 40, 40],
        "gained": [0, 40, 40, 20, 8],
        "lost": [0, 0, 20, 8, 10],
    }
    assert shown.data[list(expected)].to_dict("list") == expected
    assert shown.data["step"].tolist() == STEPS.tolist()
    bottom = np.zeros(5)
    for bars, state in zip(stock.containers, ("known", "relearnt", "forgotten"), strict=True):
        assert [bar.get_y() for bar in bars] == bottom.tolist()
        assert [bar.get_height() for bar in bars] == expected[state]
        bottom += expected[state]
    gained, lost = change.containers
    assert [bar.get_height() for bar in gained] == expected["gained"]
    assert [bar.get_height() for bar in lost] == [-n for n in expected["lost"]]
    order = sum(n * pattern.count("1") * pattern.count("0") / 5 for pattern, n in PATTERNS.items())
    dotted = line(change, "lost an interval if answers came in random order")
    assert dotted[0, 1] == pytest.approx(-order / 4)
    assert shown.answer == (
        "80 of 120 facts are known at some checkpoint, 70 at the last; 38 times one is forgotten, 28 times one comes "
        "back"
    )
    assert stock.get_title(loc="left").startswith("of 120 facts")


def test_shares_by_frequency_have_their_intervals_and_the_share_of_all(followed, values):
    shown = seen(drawn.frequency, followed, values)
    (axis,) = shown.figure.axes
    ever, counts = followed.paths.known.any(axis=1), followed.paths.facts["together"].to_numpy()
    common = followed.paths.facts["common"].to_numpy()
    assert line(axis, "all facts")[0, 1] == pytest.approx(80 / 120)
    bars = {container.get_label(): container for container in axis.containers}
    points = bars["other objects"].lines[0].get_xydata()
    within = [(counts == 0), (counts == 1), (counts >= 2) & (counts <= 4)]
    assert points == pytest.approx(
        np.array([(place + 0.07, ever[some & ~common].mean()) for place, some in enumerate(within)])
    )
    table = shown.data[shown.data["objects"] == "other objects"]
    ends = [segment[:, 1] for segment in bars["other objects"].lines[2][0].get_segments() if len(segment)]
    told = table[table["low"].notna()]
    assert len(told)
    assert np.array(ends) == pytest.approx(told[["low", "high"]].to_numpy())
    assert (told["value"] - told["low"]).to_numpy() != pytest.approx((told["high"] - told["value"]).to_numpy())
    top = bars["most common object"].lines[0].get_xydata()
    assert top == pytest.approx(np.array([[2.93, ever[common].mean()]]))
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0", "1", "2 to 4", "17 or more"]
    assert shown.answer.endswith(f"rank correlation {values['frequency']}")


def listed(followed, values):
    """The table of facts, before it is a page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "searchable", lambda table, name, caption: (table, caption))
        return drawn.histories(followed, values)


def test_every_fact_has_its_own_history(followed, values):
    table, caption = listed(followed, values)
    by_name = table.set_index("subject")
    place = {pattern: list(PATTERNS.values())[:number] for number, pattern in enumerate(PATTERNS)}
    rows = {pattern: by_name.loc[f"Subject {sum(before)}"] for pattern, before in place.items()}
    assert {pattern: row["history"] for pattern, row in rows.items()} == {
        pattern: pattern.replace("1", "■").replace("0", "□") for pattern in PATTERNS
    }
    columns = ["first right", "forgotten", "relearnt", "at the end"]
    assert rows["01011"][columns].tolist() == [10, 1, 1, "right again"]
    assert rows["00110"][columns].tolist() == [20, 1, 0, "forgotten"]
    assert rows["00111"][columns].tolist() == [20, 0, 0, "right"]
    assert rows["00000"][columns[1:]].tolist() == [0, 0, "never right"]
    assert pd.isna(rows["00000"]["first right"])
    assert by_name.loc["Subject 6", "in the text"] == 20
    assert (table["forgotten"].diff().dropna() <= 0).all()
    assert "steps 0, 10, 20, 40, 80. All facts." in caption


def test_of_many_facts_those_that_are_never_right_are_left_out_and_the_others_keep_their_histories(
    followed, values, monkeypatch
):
    monkeypatch.setattr(drawn, "MOST_ROWS", FACTS - 1)
    table, caption = listed(followed, values)
    whole = {f"Subject {i}": row for i, row in enumerate(followed.paths.known)}
    assert len(table) == 80
    for subject, history in zip(table["subject"], table["history"], strict=True):
        assert [mark == "■" for mark in history] == whole[subject].tolist()
    assert "40 facts that are never right are left out." in caption


def test_a_frozen_run_has_the_number_of_a_fact_instead_of_names(followed, values):
    without = replace(followed, paths=replace(followed.paths, facts=followed.paths.facts.drop(columns="subject")))
    table, _ = listed(without, values)
    assert set(table["fact"]) == {str(i) for i in range(FACTS)}


def test_a_page_of_facts_searches_without_a_network(followed, values):
    page = drawn.histories(followed, values).data
    assert "Subject 7" in page
    assert not re.search(r'src="https?:|href="https?:[^"]*\.(?:js|css)|from "https?:', page)
    assert page == drawn.histories(followed, values).data


def test_text_that_was_not_at_hand_is_said(followed, values):
    facts = followed.paths.facts.assign(together=np.nan)
    uncounted = replace(followed, paths=replace(followed.paths, facts=facts))
    assert "not at hand" in drawn._correlation(uncounted.paths)
    assert "not at hand" in drawn.frequency(uncounted, values).data


def test_where_too_little_is_known_one_sentence_says_so_and_nothing_is_drawn(followed):
    never, known = np.zeros_like(followed.paths.known), np.zeros_like(followed.paths.known)
    known[:, :4] = followed.paths.known[:, -1:]  # one of them untrained
    for history, checkpoints in ((never, 0), (known, 3)):
        of_few = replace(followed, paths=replace(followed.paths, known=history))
        values = drawn.numbers(of_few)
        assert [draw(of_few, values).data for draw in (drawn.flow, drawn.frequency)] == ["", ""]
        assert drawn.histories(of_few, values).data == "<p>Not listed, as no facts are followed.</p>"
        assert values["histories"].startswith(f"Facts are known at {checkpoints} checkpoints")
        assert values["frequency"] == "not told, as no facts are followed"


def test_what_is_no_more_than_permuted_subjects_is_not_drawn(followed):
    by_chance = replace(followed, chance=Chance(100.0, 99.0, 0.03))
    values = drawn.numbers(by_chance)
    assert "may be answers alone: 100 known" in values["histories"]
    assert drawn.flow(by_chance, values).data == ""
    frozen = replace(followed, chance=None)
    values = drawn.numbers(frozen)
    assert "cannot be told" in values["histories"]
    assert drawn.flow(frozen, values).data == ""
    assert "frozen without its answers" in values["left_out"]


def test_the_picture_has_its_answer(followed, values):
    assert answer_of(drawn.flow(followed, values).data).startswith("80 of 120 facts are known")
