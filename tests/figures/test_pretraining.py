"""The figures about pretraining, and what the text says beside them."""

import re

import numpy as np
import pytest

from embryology.analysis import plateau
from embryology.figures import pretraining
from tests.synthetic import make_run


@pytest.fixture(scope="module")
def losses(tmp_path_factory):
    return plateau.read([make_run(tmp_path_factory.mktemp("runs") / "synthetic", sentences=2)])


def test_a_discriminator_is_held_against_taking_every_piece_for_the_original_and_against_frequency(losses):
    asked = losses["held_out_masked_loss"].notna()
    values = {"pair_accuracy": np.nan, "replaced_accuracy": 0.9, "original_share": 0.85, "pieces": 10_000}
    values |= {"replaced_auc": 0.61, "frequency_auc": 0.6, "auc_gain_low": -0.01, "auc_gain_high": 0.03}
    replaced = losses.assign(**{f"held_out_{name}": np.where(asked, value, np.nan) for name, value in values.items()})
    drawn = pretraining.held_out_accuracy(replaced).data
    assert (
        "masked words 25%, replaced pieces 90% and replaced pieces, ranked 0.61, no better than its baseline" in drawn
    )
    assert "every piece taken for the original (0.850, of 10,000 scored)" in drawn
    assert "ranked by how frequent a piece is (0.600)" in drawn
    assert "3 line charts" in drawn


def test_pairs_are_held_against_a_rule_that_sees_their_surface(losses):
    drawn = pretraining.held_out_accuracy(losses).data
    assert "the best rule that reads no words (0.520, of 400 scored)" in drawn
    assert "pairs of segments 90%," not in drawn
    low = losses.assign(held_out_pair_accuracy=losses["held_out_pair_accuracy"] * 0 + 0.54)
    assert "pairs of segments 54%, no better than its baseline" in pretraining.held_out_accuracy(low).data
    cut = losses.assign(held_out_surface_accuracy=np.nan)
    assert "chance (0.500, of 400 scored); the pairs of this run were cut" in pretraining.held_out_accuracy(cut).data
    assert pretraining.numbers(cut)["pairs"].endswith("tells most of their order")
    assert pretraining.numbers(losses)["pairs"].endswith("by the best rule that reads no words 52.0%")


def test_losses_without_pairs_and_before_the_unigram_line(losses):
    unasked = losses.assign(held_out_pair_accuracy=np.nan)
    assert "pairs of segments" not in pretraining.held_out_accuracy(unasked).data
    numbers = pretraining.numbers(unasked)
    assert numbers["pairs"] == "how segments belong together was not asked"
    assert numbers["plateau"].startswith("the held-out loss is within 0.1 nats of the unigram line from step ")
    late = pretraining.numbers(losses[losses["step"] >= 2000])["plateau"]
    assert late == "the held-out loss is below the unigram line at the first checkpoint shown, step 2,000"
    young = pretraining.numbers(losses[losses["step"] <= 80])
    assert young["plateau"] == "the held-out loss has not come down to the unigram line"
    assert young["unigram_gap"].endswith("above")
    on_it = pretraining.numbers(losses[losses["step"] <= 640])
    assert re.fullmatch(r"from step \d+ on the held-out loss is within 0.1 nats of the unigram line", on_it["plateau"])
