import re

from embryology.figures import published_probing as drawn


def test_the_figure_says_how_small_late_changes_are_and_has_all_points():
    figure = drawn.curves().data
    assert "Another sample of test items would move 8 of 8 published curves by more than they vary late" in figure
    assert "153 (POS), 71 (Const), 276 (SRL) and 152 (Coref)" in figure
    assert len(re.findall(r"<tr>", drawn.table().data)) == 8  # the head has a style of its own
    assert "9.8e-08" in drawn.rates().data
