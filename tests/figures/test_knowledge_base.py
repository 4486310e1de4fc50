"""The sentence and the table of a knowledge base at hand: yes, no, and cannot be told."""

import pytest

from embryology.analysis import knowledge_base
from embryology.figures import knowledge_base as drawn
from tests.analysis.test_knowledge_base import made_up
from tests.figures.reading import cells_of


def told(seeds=(0, 1, 2), **how):
    return knowledge_base.over_seeds({seed: knowledge_base.beside_plain(made_up(seed, **how)) for seed in seeds})


@pytest.mark.parametrize(("helps", "said"), [(0.8, " helps: "), (0.0, " cannot be seen to help: ")])
def test_a_sentence_says_whether_it_helps_and_how_much_is_copied(helps, said):
    table = told(helps=helps)
    sentence = drawn.sentence(table)
    assert sentence.startswith(f"The first sentence of the object's article{said}")
    last = table[(table["step"] == 10) & (table["measure"] == "correct")]
    everything, rest = (last[last["facts"] == which].iloc[0] for which in ("all", "answer not in it"))
    for part in (
        f"{everything['with']:.1%} of facts are right with it, {everything['without']:.1%} without",
        f"{everything['wrong']:.1%} with that of another object",
        "the answer stands in 66%",
        f"of the others {rest['with']:.1%} are right with it, {rest['without']:.1%} without.",
    ):
        assert part in sentence
    assert rest["with"] != everything["with"]


def test_no_better_than_anothers_and_harm_are_said():
    table = told(helps=0.8)
    table[["beyond_low", "beyond_high"]] = -0.1, 0.1
    assert " helps no more than that of another object: " in drawn.sentence(table)
    table[["more_low", "more_high"]] = -0.2, -0.1
    assert " does harm: " in drawn.sentence(table)


def test_of_one_seed_it_cannot_be_told_and_of_none_nothing_was_asked():
    assert " has an effect that cannot be told: " in drawn.sentence(told(seeds=(0,)))
    empty = knowledge_base.beside_plain(made_up()[["item_id", "task", "step"]])
    assert drawn.sentence(empty) == drawn.NOT_ASKED
    assert drawn.NOT_ASKED in drawn.table(empty).data


def test_where_every_context_holds_the_answer_it_need_only_be_copied():
    table = told()
    table = table[table["facts"] == "all"].assign(in_context=1.0)
    assert drawn.sentence(table).endswith("the answer stands in 100%, so that it need only be copied.")


def test_the_table_has_shares_in_points_and_log_probabilities_in_nats():
    table = told()
    last = table[table["step"] == 10].reset_index(drop=True)
    cells = [row for row in cells_of(drawn.table(table).data) if row and row[0].startswith("the first")]
    assert len(cells) == len(last) == 4
    for row, known in zip(cells, last.itertuples(), strict=True):
        share = known.measure == "correct"
        scale, unit = (100, "points") if share else (1, "nats")
        ends = f"{known.more_low * scale:+.2f} to {known.more_high * scale:+.2f}"
        assert row[-2] == f"{known.more * scale:+.2f} {unit} ({ends})"
        assert row[1] == f"{known.facts} ({known.n:,.0f})"
        assert row[4] == (
            f"{last.loc[known.Index, 'with']:.1%}" if share else f"{last.loc[known.Index, 'with']:.2f} nats"
        )
