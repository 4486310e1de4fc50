"""The table of what fine-tuning forgets, of scores that are known."""

import numpy as np
from scipy import stats

from embryology.figures import forgetting as drawn
from tests.analysis.test_forgetting import LOST, NOISE, RIGHT, frame
from tests.figures.reading import cells_of

RUNS = tuple(f"run-seed{seed}" for seed in range(3))
METHODS = ("fine-tuned plainly", "with replay of masked words", "with gradient episodic memory")


def test_a_row_a_checkpoint_and_method_says_what_is_lost_and_told():
    cells = cells_of(drawn.table(frame(RUNS)).data)
    assert [row[:2] for row in cells] == [[step, method] for step in ("0", "200") for method in METHODS]
    noise = np.mean([*NOISE.values()])
    gem = LOST["gem"] - noise + np.array([*NOISE.values()])
    low, high = stats.t.interval(0.95, 2, gem.mean(), stats.sem(gem))
    assert cells[5][2] == f"{gem.mean():+.3f} ({low:+.3f} to {high:+.3f})"
    assert cells[3][2].startswith(f"{LOST['plain'] + noise:+.3f} (")
    for column, (group, blind) in enumerate((("learnt", 30), ("other", 20)), 3):
        assert cells[3][column].startswith(f"{100 * (RIGHT[group] + noise):.1f}% (")
        assert cells[3][column].endswith(f"); most frequent tag {blind}.0%")
        assert cells[0][column].startswith(f"{100 * (RIGHT[group] + noise - 0.2):.1f}% (")


def test_what_was_not_asked_is_said_so_and_few_runs_have_no_interval():
    alone = cells_of(drawn.table(frame(other=False, methods=("plain", "gem"))).data)
    assert [row[4] for row in alone] == ["not asked"] * 6
    assert alone[4][2:] == ["not asked"] * 3  # by replay
    assert "(" not in alone[3][2]
    assert drawn.NOT_MEASURED in drawn.table(frame().iloc[:0]).data
