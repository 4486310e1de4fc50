import itertools
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from embryology.analysis import curves, plateau, published, side_by_side, tables
from embryology.analysis.learning_order import NEVER_BEYOND, agreement, learning_times
from embryology.errors import EmbryologyError
from embryology.figures import front, learning_order, pretraining, provenance, style, tokens
from embryology.figures import side_by_side as side_by_side_figures
from embryology.runs import measurements
from embryology.runs.series import Series
from embryology.specs import UNTRAINED
from embryology.specs.tokens import SPECIFICATION
from embryology.storage.files import read_json, write_json
from tests.figures.reading import caption_of, csv_of, svg_of
from tests.screen import shown
from tests.synthetic import GOLD, SILVER, make_run

COVERS = (
    "embryology/figures/learning_order.py",
    "embryology/figures/provenance.py",
    "embryology/figures/side_by_side.py",
    "embryology/figures/style.py",
    "embryology/figures/tokens.py",
)


class Run:
    """A synthetic run with everything a notebook reads from it."""

    def __init__(self, root, compare=(), steps="all", **how):
        self.series = make_run(root, **how)
        together = [self.series, *compare]
        self.frame = tables.read(together, "tokens", steps)
        self.items = measurements.read_items(self.series, "tokens")
        self.steps = self.frame["step"].unique()
        self.times = {task: learning_times(self.frame, self.items, task) for task in learning_order.TASKS}
        self.forms = {
            task: learning_times(self.frame, self.items, task, curves.VERB_FORMS) for task in learning_order.TASKS
        }
        self.losses = plateau.read(together, steps)
        self.learnt = side_by_side.read(together, steps)
        self.source = measurements.source_of(self.items)

    def accuracy(self, task, groups=None):
        times = self.forms if groups else self.times
        return tokens.accuracy(self.frame, times[task], task, self.source, groups)

    def draw(self, *names):
        """Figures by the name of their files."""
        by_name = {
            "learning-order": lambda: learning_order.learning_order(self.frame, self.times, self.items),
            "reconstruction-groups": lambda: self.accuracy("reconstruction"),
            "mask-prediction-groups": lambda: self.accuracy("mask-prediction"),
            "reconstruction-verb-forms": lambda: self.accuracy("reconstruction", curves.VERB_FORMS),
            "mask-prediction-verb-forms": lambda: self.accuracy("mask-prediction", curves.VERB_FORMS),
            "rescaled-reconstruction": lambda: tokens.rescaled(self.frame, self.times["reconstruction"], self.source),
            "learning-order-side-by-side": lambda: side_by_side_figures.side_by_side(self.learnt),
            "below-unigram": lambda: pretraining.below_unigram(self.losses),
            "losses": lambda: pretraining.losses(self.losses),
            "held-out-accuracy": lambda: pretraining.held_out_accuracy(self.losses),
            "optimisation": lambda: pretraining.optimisation(self.losses),
        }
        drawn = {name: by_name[name]().data for name in names}
        assert list(drawn) == [re.search(r'id="figure-([^"]*)"', figure)[1] for figure in drawn.values()]
        return drawn


NAMES = [
    "learning-order",
    "reconstruction-groups",
    "mask-prediction-groups",
    "reconstruction-verb-forms",
    "mask-prediction-verb-forms",
    "rescaled-reconstruction",
    "losses",
    "held-out-accuracy",
    "optimisation",
    "learning-order-side-by-side",
    "below-unigram",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(tmp_path_factory.mktemp("runs") / "synthetic")


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
        assert run.draw(*NAMES) == figures


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
    for part in ("95% Wilson", "untrained", "most frequent word", SILVER, "360 words each"):
        assert part in caption
    assert "Cannot be told" not in caption
    caption = caption_of(figures["learning-order"])
    for part in (
        "bootstrap over sentences and checkpoints (1,000 resamples, seed 0)",
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


def test_gold_tags_a_missing_tag_and_a_capped_total_are_said(tmp_path):
    run = Run(tmp_path / "gold", source=GOLD, total=False, without=("PRP", "VBG"), sentences=30)
    figures = run.draw("learning-order", "reconstruction-groups", "mask-prediction-verb-forms")
    assert GOLD in caption_of(figures["mask-prediction-verb-forms"])
    assert "PRP" not in csv_of(figures["learning-order"]).query("source == 'reconstruction'")["tag"].tolist()
    assert "7 of 8 groups end beyond one word everywhere" in figures["reconstruction-groups"]
    assert "7 beyond their own most frequent word too" in figures["reconstruction-groups"]
    assert learning_order.numbers(run.frame, run.times)["learnt"] == (
        "7 of 8 groups (DT, CC, IN, RB, VB, JJ and NN) end beyond all of their blind answers"
    )
    anyone, own = learning_order.numbers(run.frame, run.times)["mask_learnt"].split(" and the untrained model, ")
    assert "CC" in anyone  # half of its words, where its own most frequent one is right for 60%
    assert "CC" not in own


def test_compared_runs_are_drawn_beside_the_run_at_equal_tokens(tmp_path):
    other = make_run(tmp_path / "slower", factor=2)
    figures = Run(tmp_path / "run", compare=[other]).draw("reconstruction-verb-forms", "losses", "optimisation")
    assert set(csv_of(figures["reconstruction-verb-forms"])["series"]) == {"run", "slower"}
    assert "those of run" in caption_of(figures["reconstruction-verb-forms"])
    assert "over tokens read" in figures["losses"]


def test_runs_side_by_side_are_each_held_against_their_own_unigram_line_and_the_published_order(tmp_path):
    other = make_run(tmp_path / "slower", factor=2, source=GOLD, sentences=30)
    run = Run(tmp_path / "run", compare=[other], sentences=30)
    figures = run.draw("below-unigram", "learning-order-side-by-side")
    drawn = csv_of(figures["below-unigram"])
    assert drawn["below_unigram"].tolist() == pytest.approx((6.7 - run.losses["held_out_masked_loss"]).dropna())
    assert "Nats below the unigram line at the end: run 1.19 and slower 1.19" in figures["below-unigram"]
    assert pretraining.compared(run.losses)["at_equal_tokens"].startswith(
        "At 4.1M tokens, where run ends, slower is 1.19"
    )
    assert f"run on {SILVER}; slower on {GOLD}." in caption_of(figures["learning-order-side-by-side"])
    drawn = csv_of(figures["learning-order-side-by-side"]).query("tag == 'JJ'").set_index("source")
    levels = side_by_side_figures.levels(run.learnt).data
    assert levels.count("<tr") == 1 + 9 * 3
    adjectives = re.findall(r"<td>JJ adjective</td>\s*<td>25%</td>\s*<td>(.*?)</td>", levels)
    step = learning_times(run.frame, run.items, "reconstruction", level=0.25).loc["JJ", "step"]
    assert adjectives[0].startswith(f"{style.short(step * 2048)} (")
    assert 1.2 < drawn.loc["slower", "tokens"] / drawn.loc["run", "tokens"] < 2  # half of a lower end
    assert drawn.loc["published ALBERT", "step"] == published.learning_times().loc["JJ", "step"]
    taus, table = side_by_side_figures.compared(run.learnt), side_by_side_figures.agreements(run.learnt).data
    orders = {name: learnt.times["reconstruction"] for name, learnt in run.learnt.items()}
    orders["published ALBERT"] = published.learning_times()
    rows = [re.findall(r"<td>(.*?)</td>", row) for row in table.split("<tr>")[1:]]
    assert [row[:3] for row in rows] == [
        *(["reconstruction", *pair] for pair in itertools.combinations(orders, 2)),
        ["mask prediction", "run", "slower"],
        *(["reconstruction, by half of the last value", name, "published ALBERT"] for name in run.learnt),
    ]
    for _, one, other, tau, p, *_ in rows[:3]:
        alike = agreement(orders[one], orders[other])
        assert (tau, float(p)) == (f"{alike.tau:.2f}", pytest.approx(alike.p, rel=0.05))
        assert (f"{one} {tau}" if other == "published ALBERT" else f"with each other {tau}") in taus
    tied = {
        name: replace(
            learnt,
            times=learnt.times
            | {"mask-prediction": learnt.times["mask-prediction"].assign(state=NEVER_BEYOND, step=np.nan)},
        )
        for name, learnt in run.learnt.items()
    }
    table = side_by_side_figures.agreements(tied).data
    assert "mask prediction that have no τ, as one of them is all ties: 1." in table
    assert table.count("<td>mask prediction</td>") == 0 < table.count("<td>reconstruction</td>")


@pytest.mark.parametrize("steps", ["last", "0", "0,20"])
def test_few_checkpoints_can_be_drawn(tmp_path, steps):
    run = Run(tmp_path / "few", steps=steps, sentences=30)
    figures = run.draw("reconstruction-verb-forms", "losses", "held-out-accuracy", "below-unigram")
    reason = f"learning times take 4 checkpoints after step 0, and here are {sum(step > 0 for step in run.steps)}"
    assert f"what is learnt cannot be told ({reason})" in figures["reconstruction-verb-forms"]
    undrawn = f"<p>Not drawn for few: {reason}.</p>"
    assert learning_order.learning_order(run.frame, run.times, run.items).data == undrawn
    assert tokens.rescaled(run.frame, run.times["reconstruction"], run.source).data == undrawn
    assert (
        side_by_side_figures.side_by_side(run.learnt).data
        == "<p>Not drawn: no group of words has a learning time in few.</p>"
    )
    assert "cannot be told" in side_by_side_figures.levels(run.learnt).data
    assert pretraining.numbers(run.losses)
    assert learning_order.numbers(run.frame, run.times)["learnt"] == reason
    assert len(front.findings(run.series, steps).data.splitlines()) == 5


def test_a_run_that_has_learnt_nothing_says_so(tmp_path):
    run = Run(tmp_path / "newborn", factor=1e9, sentences=30)
    figures = run.draw("reconstruction-groups")
    undrawn = "<p>Not drawn for newborn: no group of words ends beyond its blind answers.</p>"
    assert learning_order.learning_order(run.frame, run.times, run.items).data == undrawn
    assert tokens.rescaled(run.frame, run.times["reconstruction"], run.source).data == undrawn
    assert "0 of 9 groups end beyond one word everywhere" in figures["reconstruction-groups"]
    numbers = learning_order.numbers(run.frame, run.times)
    assert numbers["learnt"] == "0 of 9 groups end beyond all of their blind answers"
    assert numbers["albert_agreement"] == "no Kendall's τ (one of the orders is all ties)"
    assert numbers["order_names"] == "none yet"


def test_words_with_universal_tags_are_drawn_and_not_held_against_published_ones(tmp_path, run):
    tags = dict(zip(curves.GROUPS, curves.UNIVERSAL, strict=True)) | {".": "PUNCT"}
    forms = set(curves.VERB_FORMS) - {"VB"}
    french = Run(tmp_path / "french", sentences=40, tags=tags, without=forms)
    figures = french.draw("learning-order", "reconstruction-groups", "learning-order-side-by-side")
    assert "8 of 9 groups end beyond one word everywhere" in figures["reconstruction-groups"]
    assert "Right: published" not in caption_of(figures["learning-order"])
    assert re.search("Determiners(,| and| first)", figures["learning-order"])
    numbers = learning_order.numbers(french.frame, french.times)
    assert numbers["learnt"].startswith("8 of 9 groups (DET, ")
    assert numbers["albert_agreement"] == "no group in common, as the published ones are single Penn tags"
    assert numbers["age"].startswith("is like none")
    assert tokens.rescaled(french.frame, french.times["reconstruction"], "x").data.startswith("<p>Not drawn")
    assert french.accuracy("reconstruction", curves.VERB_FORMS).data.startswith("<p>No word")
    assert "DET determiner" in shown(french.series)
    both = tables.read([french.series, run.series], "tokens")
    with pytest.raises(EmbryologyError, match="french have universal tags and those of synthetic Penn tags"):
        curves.groups(both)


def test_what_has_to_be_known_of_measurements_stands_below_every_figure(tmp_path, run):
    made = make_run(tmp_path / "german", sentences=20)
    corpus = read_json(made.folder.corpus)
    write_json(made.folder.corpus, corpus | {"languages": {"de": 0.9, "en": 0.1}})
    for step, device in ((0, "a card"), (20, "a processor")):
        file = next(made.folder.measurements.glob(f"tokens/*/{step:08d}-*.parquet"))
        measurements.write(file, pd.read_parquet(file).assign(device=device))
    series = Series.open(made.folder.root)
    frame = tables.read([series], "tokens")

    def draw():
        return tokens.accuracy(frame, run.times["reconstruction"], "reconstruction", "x").data

    provenance.about([series], "tokens")
    below = caption_of(draw())
    assert "Note: german: probe tokens asks in en, and the training text is de 90%, en 10%" in below
    assert "german were measured by tokens with device a card and a processor, so that" in below
    provenance.about([series], "knowledge")
    below = caption_of(draw())
    assert "knowledge asks in en" in below
    assert "a card" not in below
    words = tuple(replace(each, unit="words") for each in series.checkpoints)
    provenance.about([replace(series, checkpoints=words)])
    assert "how many words were read" in caption_of(
        tokens.accuracy(frame, run.times["reconstruction"], "reconstruction", "x").data
    )
    provenance.about([run.series], "tokens")
    assert "Note" not in caption_of(draw())


def test_a_run_without_step_0_says_that_it_has_no_untrained_baseline(tmp_path):
    run = Run(tmp_path / "late", steps="all", sentences=20)
    frame = run.frame[(run.frame["step"] > 0) & (run.frame["baseline"] != UNTRAINED)]
    drawn = tokens.accuracy(frame, run.times["reconstruction"], "reconstruction", run.source).data
    assert "no checkpoint at step 0" in caption_of(drawn)


def test_text_and_lines_have_enough_contrast_on_white():
    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])

    assert all(1.05 / (luminance(colour) + 0.05) >= 4.5 for colour in (style.INK, style.MUTED, style.ALERT))
    assert len({marker for _, marker, _ in style.LINES}) == len({str(dashes) for *_, dashes in style.LINES}) == 6


def test_short_counts_and_lists():
    assert [style.short(n) for n in (0, 500, 1500, 2_048_000)] == ["0", "500", "1.5k", "2.05M"]
    assert [style.listed(names) for names in ([], ["a"], ["a", "b", "c"])] == ["none", "a", "a, b and c"]


def test_provenance_shows_what_there_is(run):
    series = run.series
    assert "outcome.steps" in provenance.run(series).data
    assert "bundled &lt;text&gt;" in provenance.corpus(series).data
    assert provenance.checkpoints(series).data.count("<tr>") == 9
    assert "2,000" in provenance.measured(series).data
    assert (
        "<strong>synthetic</strong>, made by <code>embryology pretrain synthetic</code>"
        in provenance.about([series]).data
    )
    assert "frozen" not in provenance.about([series]).data
    assert "4,096,000" in provenance.side_by_side([series]).data
    assert "not recorded" not in provenance.checkpoints(series).data


def test_series_of_one_name_stay_apart_where_they_come_from(run, tmp_path):
    other = make_run(tmp_path / "synthetic", steps=(0, 20), sentences=20)
    pair = Series.open_all([run.series.folder.root, other.folder.root])
    table = provenance.side_by_side(pair).data
    assert all(series.name in table for series in pair)
    assert "4,096,000" in table


def test_a_series_made_by_others_is_drawn_with_what_there_is(tmp_path):
    made = make_run(tmp_path / "bert", sentences=30)
    for file in (made.folder.manifest, made.folder.losses, made.folder.corpus):
        file.unlink()
    known = Series.open(made.folder.root)
    checkpoints = tuple(replace(each, tokens=None, recorded=None) for each in known.checkpoints)
    series = replace(known, checkpoints=checkpoints)
    assert "<strong>bert</strong>, 9 of them, from step 0 to step 2,000" in provenance.about([series]).data
    for table in (provenance.run, provenance.corpus):
        assert table(series).data.startswith("<p>")
    assert provenance.checkpoints(series).data.count(provenance.UNKNOWN) == 9 * 4
    assert provenance.side_by_side([series]).data.count(provenance.UNKNOWN) == 12
    learnt = side_by_side.read([series])
    assert learnt["bert"].kept
    unknown = {name: replace(each, grid=each.grid.assign(tokens=np.nan)) for name, each in learnt.items()}
    assert "Training step when reconstruction" in side_by_side_figures.side_by_side(unknown).data


def test_checkpoints_that_were_measured_on_different_text_make_no_curve(tmp_path):
    items = pd.DataFrame({"source": [SILVER, SILVER]})
    assert measurements.source_of(items) == SILVER
    items.loc[1, "source"] = GOLD
    with pytest.raises(EmbryologyError, match=r"measured on different text \(gold.* and silver.*embryology probe RUN"):
        measurements.source_of(items)
