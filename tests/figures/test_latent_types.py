"""The sentence and the table of latent types: yes, no, and cannot be told."""

import pandas as pd

from embryology.analysis import latent_types
from embryology.figures import latent_types as drawn
from tests.figures.reading import cells_of


def told(beyond=((0.1, 0.05), (-0.02, 0.0), (0.03, 0.01))):
    """By seed how far tags and entities are beyond the larger baseline, at the last of two checkpoints."""
    tables = {}
    for seed, (tag, entity) in enumerate(beyond):
        rows = [
            {"label": label, "words": 100, "types": 9, "typed": 0.25, "step": step} | values
            for step in (0, 20)
            for label, values in (
                ("tag", {"value": 0.2 + tag * (step > 0), "permuted": 0.1, "frequency": 0.2}),
                ("entity", {"value": 0.1 + entity * (step > 0), "permuted": 0.1, "frequency": 0.05}),
            )
        ]
        tables[seed] = pd.DataFrame(rows)
    return latent_types.over_seeds(tables)


def test_a_sentence_says_what_seeds_bear_out():
    assert drawn.sentence(told(((0.1, 0.01), (0.11, 0.0), (0.12, -0.01)))) == (
        "Types say part of speech beyond frequency and chance (V-measure 0.31, 0.10 permuted within sentences, 0.20 by "
        "frequency); types say no more of entity than frequency or chance (V-measure 0.10, 0.10 permuted within "
        "sentences, 0.05 by frequency); 25% of words have a type, of 9."
    )
    assert drawn.sentence(told()).startswith("Types say no more of part of speech than frequency or chance")


def test_of_two_seeds_it_cannot_be_told_and_of_none_nothing_is_said():
    assert drawn.sentence(told(((0.1, 0.1), (0.11, 0.1)))).startswith("Whether types say part of speech cannot be told")
    assert drawn.sentence(told().iloc[:0]) == drawn.NOT_RUN
    assert drawn.NOT_RUN in drawn.table(told().iloc[:0]).data


def test_the_table_has_a_row_a_checkpoint_and_label():
    table = told(((0.1, 0.01), (0.11, 0.0), (0.12, 0.0)))
    cells = cells_of(drawn.table(table).data)
    assert [row[:2] for row in cells] == [
        ["0", "part of speech"], ["0", "entity"], ["20", "part of speech"], ["20", "entity"]
    ]  # fmt: skip
    last = table.iloc[2]
    assert cells[2][2:7] == ["25%", "9", "0.310", "0.100", "0.200"]
    assert cells[2][7] == f"{last['beyond']:+.3f} ({last['low']:+.3f} to {last['high']:+.3f})"
