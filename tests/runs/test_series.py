"""Series of checkpoints: which of them are pairs."""

import pytest

from embryology.runs.series import seed_pairs
from tests.synthetic import STEPS, make_run


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    home = tmp_path_factory.mktemp("runs")

    def series(name, seed, steps=STEPS):
        return make_run(home / name, sentences=2, seed=seed, steps=steps)

    return series


def test_series_of_one_recipe_are_paired_in_the_order_given(make):
    one, longer, other = make("one", 0), make("longer", 0, (*STEPS, 4000)), make("other", 1)
    third, again = make("third", 2), make("again", 0)
    others = make("checkpoints-of-others", 3)
    others.folder.manifest.unlink()
    others = type(others).open(others.folder.root)
    assert others.recipe is None
    assert seed_pairs([one, longer, other]) == [(one, other)]
    assert seed_pairs([other, longer, third, one]) == [(other, third), (other, one), (third, one)]
    assert seed_pairs([one, again, others]) == []
