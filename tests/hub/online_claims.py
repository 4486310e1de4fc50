"""The page of claims on a described series of several seeds, as MultiBERTs is: stand-ins with random parameters.

What the real ones say is not known here; that a command measures them and that the page is made of them is.
"""

import nbformat

from embryology.analysis.claims import verdicts
from embryology.analysis.claims.decisions import UNDECIDED
from embryology.probes.runner import run_probes
from embryology.report import build
from embryology.runs.paths import ROOT
from embryology.runs.series import Series
from embryology.specs import registry
from tests.hub.repositories import TOKENIZER, pickled

SEEDS, STEPS = "hub:google/mb-seed_{seed}-step_{step}k", (0, 20, 200)


def test_the_page_of_claims_is_made_of_a_described_series_of_seeds(mirror, monkeypatch, tmp_path):
    for seed in range(3):
        for step in STEPS:
            mirror.commit(f"google/mb-seed_{seed}-step_{step}k", "main", pickled(100 * seed + step) | TOKENIZER)
    series = Series.open_all(SEEDS)
    settings = {"tokens": {"treebank": "silver", "sentences": 6, "mask_words_per_tag": 2}}
    for each in series:
        run_probes(each, registry.asked_for(["tokens"], settings), device="cpu", threads=1)
    contents = build._contents(series, [], ROOT)
    (page,) = (page for _, page in contents.chosen if page.name == "claims")
    assert [each.name for each in contents.compared(page, series[0])] == [each.name for each in series[1:]]
    monkeypatch.chdir(tmp_path)
    shown = {}
    for cell in nbformat.read(page.template, as_version=4).cells:
        if cell.cell_type == "code" and "colab" not in cell.metadata.tags:
            exec(cell.source.replace("results/tiny-seed0", SEEDS), shown)
    told: verdicts.Verdicts = shown["told"]
    assert told.recipes == {SEEDS: tuple(each.name for each in series)}
    assert {each.outcome for each in told.overall} == {UNDECIDED}, "nothing was learnt"
    speeds = told.of("reconstruction-speeds").others[0]
    assert speeds.seeds == told.recipes[SEEDS]
    assert "0 groups of words have a learning time in every seed" in speeds.reasons[-1]
    assert verdicts.NO_DATE in speeds.exploratory[0]
    assert told.of("published-order").others == (), "it is of ALBERTs"
    assert "learning time" in told.of("order-of-bert").others[0].reasons[-1]
    assert "has not measured it" in told.of("late-facts").others[0].reasons[0]
