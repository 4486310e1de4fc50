"""Figures of the tokens probe and of losses, of a synthetic run: what all have in common, and what no run has."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from functools import cached_property

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from embryology.analysis import curves, plateau, tables
from embryology.analysis.learning_order import learning_times
from embryology.errors import EmbryologyError
from embryology.figures import front, learning_order, pretraining, provenance, style, tokens
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs.tokens import SPECIFICATION
from embryology.storage.files import read_json, write_json
from tests.figures.reading import caption_of, csv_of, seen, svg_of
from tests.screen import shown
from tests.synthetic import GOLD, SILVER, make_run


class Run:
    """A synthetic run with everything a notebook reads from it."""

    def __init__(self, series, steps="all"):
        self.series, self.read = series, steps
        self.frame = tables.read([series], "tokens", steps)
        self.items = measurements.read_items(series, "tokens")
        self.source = measurements.source_of(self.items)

    @cached_property
    def times(self):
        return {task: learning_times(self.frame, self.items, task) for task in learning_order.TASKS}

    @cached_property
    def losses(self):
        return plateau.read([self.series], self.read)

    def accuracy(self, task, groups=None):
        times = learning_times(self.frame, self.items, task, groups) if groups else self.times[task]
        return tokens.accuracy, self.frame, times, task, self.source, groups

    def draw(self, *names):
        """Figures by the name of their files."""
        by_name = {
            "learning-order": (learning_order.learning_order, self.frame, self.times, self.items),
            "reconstruction-groups": self.accuracy("reconstruction"),
            "mask-prediction-verb-forms": self.accuracy("mask-prediction", curves.VERB_FORMS),
            "rescaled-reconstruction": (tokens.rescaled, self.frame, self.times["reconstruction"], self.source),
            "below-unigram": (pretraining.below_unigram, self.losses),
            "losses": (pretraining.losses, self.losses),
            "held-out-accuracy": (pretraining.held_out_accuracy, self.losses),
            "optimisation": (pretraining.optimisation, self.losses),
        }
        drawn = {name: by_name[name][0](*by_name[name][1:]).data for name in names}
        assert list(drawn) == [re.search(r'id="figure-([^"]*)"', figure)[1] for figure in drawn.values()]
        return drawn


NAMES = [
    "learning-order",
    "reconstruction-groups",
    "mask-prediction-verb-forms",
    "rescaled-reconstruction",
    "losses",
    "held-out-accuracy",
    "optimisation",
    "below-unigram",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(make_run(tmp_path_factory.mktemp("runs") / "synthetic", sentences=30, only=("tokens",)))


@pytest.fixture(scope="module")
def figures(run):
    return run.draw(*NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_stands_alone(figures, name):
    """Well-formed without a server, with alt text, a caption that asks a question, and its data."""
    figure = figures[name]
    ElementTree.fromstring(figure)
    ElementTree.fromstring(svg_of(figure))
    assert len(re.search(r'alt="([^"]*)"', figure)[1]) > 80
    assert "?" in caption_of(figure)
    assert "synthetic" in caption_of(figure) or "verb" in name
    assert len(csv_of(figure)) > 5
    assert f'download="{name}.csv"' in figure
    assert f'download="{name}.svg"' in figure
    assert not re.findall(r'(?:src|href)="(?!data:)', figure)


def test_the_same_inputs_give_the_same_bytes(run, figures):
    with matplotlib.rc_context({"font.size": 30, "svg.hashsalt": None, "axes.facecolor": "red"}):  # a notebook's own
        again = run.draw("learning-order", "losses")
    assert again == {name: figures[name] for name in again}


def test_another_process_gives_the_same_bytes(run, figures):
    code = (
        "import sys; from embryology.analysis import plateau; from embryology.figures import pretraining;"
        "from embryology.runs.series import Series;"
        "sys.stdout.write(pretraining.losses(plateau.read([Series.open(sys.argv[1])])).data)"
    )
    command = [sys.executable, "-c", code, run.series.folder.root]
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    other = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert other.stdout == figures["losses"]


def test_drawing_leaves_no_trace(run):
    before = dict(matplotlib.rcParams)
    pretraining.optimisation(run.losses)
    assert dict(matplotlib.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_text_is_escaped():
    figure, _ = style.panels(1, 1, 2, 2)
    drawn = style.show(figure, "a", "a > b", pd.DataFrame({"x": [1]}), "1 < 2 <script>", 'says "no" & <b>').data
    assert "<script>" not in drawn
    assert "1 &lt; 2 &lt;script&gt;" in drawn
    assert "<strong>a &gt; b</strong>" in drawn
    assert 'alt="says &quot;no&quot; &amp; &lt;b&gt;"' in drawn


def test_captions_name_intervals_and_baselines(figures):
    caption = caption_of(figures["reconstruction-groups"])
    for part in ("95% Wilson", "untrained", "most frequent word", SILVER, "90 words each"):
        assert part in caption
    assert "Cannot be told" not in caption
    caption = caption_of(figures["learning-order"])
    for part in (
        "bootstrap over sentences and checkpoints",
        "percentiles of 1,000 resamples, seed 0",
        "exact permutation p = ",
        "τ = ",
        SILVER,
    ):
        assert part in caption
    assert "another batch size" in caption_of(figures["rescaled-reconstruction"])
    assert "6.70 nats" in caption_of(figures["losses"])


def test_data_behind_a_figure_are_the_measurements_with_their_baselines(run, figures):
    data = csv_of(figures["reconstruction-groups"])
    assert set(data["baseline"].dropna()) == set(SPECIFICATION.baselines)
    drawn = data[data["baseline"].isna() & (data["group"] == "JJ")]["value"]
    assert drawn.tolist() == pytest.approx(curves.curve(run.frame, "reconstruction", "JJ")["value"])


def test_a_missing_tag_and_a_capped_total_are_said(tmp_path):
    run = Run(
        make_run(tmp_path / "gold", source=GOLD, total=False, without=("PRP", "VBG"), sentences=30, only=("tokens",))
    )
    drawn = seen(*run.accuracy("reconstruction"))
    assert f"on {GOLD} (" in drawn.caption
    assert "7 of 8 groups end beyond every blind answer" in drawn.answer
    assert "; 7 beyond one word everywhere and the untrained model" in drawn.answer
    assert learning_order.numbers(run.frame, run.times)["learnt"] == (
        "7 of 8 groups (DT, CC, IN, RB, VB, JJ and NN) end beyond all of their blind answers"
    )
    anyone, own = learning_order.numbers(run.frame, run.times)["mask_learnt"].split(" and the untrained model, ")
    assert "CC" in anyone  # half of its words, where its own most frequent one is right for 60%
    assert "CC" not in own


@pytest.mark.parametrize("steps", ["last", "0", "0,20"])
def test_few_checkpoints_can_be_drawn(run, steps):
    few = Run(run.series, steps)
    reason = f"learning times take 4 checkpoints after step 0, and here are {few.frame['step'].gt(0).any() + 0}"
    assert (
        f"what is learnt cannot be told ({reason})" in seen(*few.accuracy("reconstruction", curves.VERB_FORMS)).answer
    )
    undrawn = f"<p>Not drawn for synthetic: {reason}.</p>"
    assert learning_order.learning_order(few.frame, few.times, few.items).data == undrawn
    assert tokens.rescaled(few.frame, few.times["reconstruction"], few.source).data == undrawn
    for draw in (pretraining.losses, pretraining.held_out_accuracy, pretraining.below_unigram):
        assert seen(draw, few.losses).answer
    assert pretraining.numbers(few.losses)
    assert learning_order.numbers(few.frame, few.times)["learnt"] == reason
    assert len(front.findings(few.series, steps).data.splitlines()) == 5


def test_a_run_that_has_learnt_nothing_says_so(tmp_path):
    run = Run(make_run(tmp_path / "newborn", factor=1e9, sentences=30, only=("tokens",)))
    undrawn = "<p>Not drawn for newborn: no group of words ends beyond its blind answers.</p>"
    assert learning_order.learning_order(run.frame, run.times, run.items).data == undrawn
    assert tokens.rescaled(run.frame, run.times["reconstruction"], run.source).data == undrawn
    assert "0 of 9 groups end beyond every blind answer" in seen(*run.accuracy("reconstruction")).answer
    numbers = learning_order.numbers(run.frame, run.times)
    assert numbers["learnt"] == "0 of 9 groups end beyond all of their blind answers"
    assert numbers["albert_agreement"] == "no Kendall's τ (one of the orders is all ties)"
    assert numbers["order_names"] == "none yet"


def test_words_with_universal_tags_are_drawn_and_not_held_against_published_ones(tmp_path, run):
    tags = dict(zip(curves.GROUPS, curves.UNIVERSAL, strict=True)) | {".": "PUNCT"}
    forms = set(curves.VERB_FORMS) - {"VB"}
    french = Run(make_run(tmp_path / "french", sentences=40, tags=tags, without=forms, only=("tokens",)))
    assert "8 of 9 groups end beyond every blind answer" in seen(*french.accuracy("reconstruction")).answer
    drawn = seen(learning_order.learning_order, french.frame, french.times, french.items)
    assert "Right: published" not in drawn.caption
    assert drawn.answer == "None of 8 groups is told apart from all others"
    numbers = learning_order.numbers(french.frame, french.times)
    assert numbers["learnt"].startswith("8 of 9 groups (DET, ")
    assert (
        numbers["albert_agreement"]
        == "no group in common that can be told of (the published ones are single Penn tags)"
    )
    assert numbers["age"].startswith("is like none")
    assert tokens.rescaled(french.frame, french.times["reconstruction"], "x").data.startswith("<p>Not drawn")
    accuracy, *of_forms = french.accuracy("reconstruction", curves.VERB_FORMS)
    assert accuracy(*of_forms).data.startswith("<p>No word")
    assert "DET determiner" in shown(french.series)
    both = tables.read([french.series, run.series], "tokens")
    with pytest.raises(EmbryologyError, match="french have universal tags and those of synthetic Penn tags"):
        curves.groups(both)


def test_what_has_to_be_known_of_measurements_stands_below_every_figure(tmp_path):
    made = make_run(tmp_path / "german", sentences=2, steps=(0, 20))
    corpus = read_json(made.folder.corpus)
    write_json(made.folder.corpus, corpus | {"languages": {"de": 0.9, "en": 0.1}})
    for step, device in ((0, "a card"), (20, "a processor")):
        file = next(made.folder.measurements.glob(f"tokens/*/{step:08d}-*.parquet"))
        measurements.write(file, pd.read_parquet(file).assign(device=device))
    series = Series.open(made.folder.root)

    def below():
        figure, _ = style.panels(1, 1, 2, 2)
        return caption_of(style.show(figure, "a", "a", pd.DataFrame({"x": [1]}), "Caption.", "alt").data)

    provenance.about([series], "tokens")
    assert "Note: german: probe tokens asks in en, and the training text is de 90%, en 10%" in below()
    assert "german were measured by tokens with device a card and a processor, so that" in below()
    provenance.about([series], "knowledge")
    assert "knowledge asks in en" in below()
    assert "a card" not in below()
    words = tuple(replace(each, unit="words") for each in series.checkpoints)
    provenance.about([replace(series, checkpoints=words)])
    assert "how many words were read" in below()
    write_json(made.folder.corpus, corpus)
    provenance.about([series], "knowledge")
    assert below() == "Caption. "


def test_text_and_lines_have_enough_contrast_on_white():
    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])

    assert all(1.05 / (luminance(colour) + 0.05) >= 4.5 for colour in (style.INK, style.MUTED, style.ALERT))
    assert len({marker for _, marker, _ in style.LINES}) == len({str(dashes) for *_, dashes in style.LINES}) == 6


def test_checkpoints_that_were_measured_on_different_text_make_no_curve(tmp_path):
    items = pd.DataFrame({"source": [SILVER, SILVER]})
    assert measurements.source_of(items) == SILVER
    items.loc[1, "source"] = GOLD
    with pytest.raises(EmbryologyError, match=r"measured on different text \(gold.* and silver.*embryology probe RUN"):
        measurements.source_of(items)
