"""Runs that were never trained: measurements made from known curves, for analysis, figures and notebooks."""

import numpy as np
import pandas as pd

from embryology.corpus.store import TokenStore
from embryology.intervals import wilson
from embryology.runs import losses, measurements
from embryology.runs.paths import RunFolder
from embryology.storage.files import write_json, write_table, write_yaml

STEPS = (0, 20, 40, 80, 160, 320, 640, 1280, 2000)
GOLD, SILVER = "gold tags, UD English-EWT test", "silver tags (spaCy), held-out vital articles"
# By tag: step of half the final accuracy, final accuracy, share of the group's most frequent word.
KNOWN = {
    "DT": (50, 0.99, 0.55),
    "CC": (70, 0.98, 0.60),
    "IN": (100, 0.95, 0.20),
    "PRP": (300, 0.90, 0.15),
    "RB": (420, 0.60, 0.08),
    "VB": (520, 0.50, 0.06),
    "VBZ": (260, 0.80, 0.30),
    "VBD": (400, 0.60, 0.15),
    "VBN": (600, 0.30, 0.05),
    "VBG": (700, 0.20, 0.03),
    "JJ": (900, 0.40, 0.02),
    "NN": (1000, 0.30, 0.01),
    "NNP": (1100, 0.008, 0.05),
    ".": (30, 1.0, 0.9),
}


KNOWLEDGE = {"P140": (200, 0.6, 0.1), "P103": (900, 0.4, 0.35), "P999": (400, 0.1, 0.5)}
"""By relation of the knowledge probe: step of half the gain, final precision at 1, share of the most common object."""
EDGES = {"made-up/pos": (100, 0.9, 0.2), "made-up/role": (400, 0.7, 0.4), "made-up/entity": (400, 0.44, 0.45)}
"""By task of the edges probe: step of half the gain, final micro F1 of layer 2, and that of the majority."""


def make_run(root, steps=STEPS, source=SILVER, sentences=120, total=True, without=(), factor=1.0, seed=0):
    """A run folder with everything but weights.

    ``total``: whether mask prediction has one; ``without``: tags that no word has; ``factor``: of
    all learning times; the tag ``NNP`` never clears blind answers.
    """
    folder = RunFolder(root)
    words = _words(sentences, [tag for tag in KNOWN if tag not in without], seed)
    for step in steps:
        key = f"{step:064x}"
        rows, items = [], []
        for task, slower in (("reconstruction", 1), ("mask-prediction", 2)):
            scored = words.assign(task=task, correct=_correct(words, step, slower * factor, 1 / slower))
            items.append(scored)
            rows += _rows(task, scored, total or task == "reconstruction")
        rows.append({"task": "alignment", "item": "", "metric": "share_unaligned", "value": 0.0, "n": len(words)})
        columns = {"series": folder.name, "step": step, "tokens": step * 2048, "model": "albert", "probe": "tokens"}
        frame = pd.DataFrame(rows).assign(**columns, objective="masked", layer=None, seed=0, key=key)
        details = pd.concat(items)[["item_id", "sentence", "word", "tag", "task", "correct"]]
        write_table(folder.details("tokens", step, key), details.assign(log_probability=-3.0, source=source, step=step))
        measurements.write(folder.measurement("tokens", step, key), frame)
        frame = pd.DataFrame(_edges(step)).assign(**columns | {"probe": "edges"}, objective="masked", seed=0, key=key)
        measurements.write(folder.measurement("edges", step, key), frame)
        details = pd.DataFrame({"item_id": "s0:1", "sentence": "s0", "task": [*EDGES], "correct": True, "layers": 15})
        write_table(folder.details("edges", step, key), details.assign(tag="NN", source=source, step=step))
        rows, details = _knowledge(step, steps[-1])
        frame = pd.DataFrame(rows).assign(**columns | {"probe": "knowledge"}, objective="masked", seed=0, key=key)
        measurements.write(folder.measurement("knowledge", step, key), frame.assign(layer=None))
        write_table(folder.details("knowledge", step, key), details.assign(step=step))
        for probe, fine in (("finetune", True), ("frozen", False)):
            frame = pd.DataFrame(_downstream(step, fine)).assign(
                **columns | {"probe": probe}, objective="masked", key=key
            )
            measurements.write(folder.measurement(probe, step, key), frame.assign(layer=None))
        details = pd.DataFrame({"item_id": ["RTE:dev:1"], "task": ["RTE"], "tag": ["seed 0"], "correct": [True]})
        write_table(folder.details("finetune", step, key), details.assign(source="made-up tasks", step=step))
        facts = {"step": step, "tokens": step * 2048, "epoch": step / 500, "sha256": key}
        held_out = {"held_out_masked_loss": _loss(step)}
        write_json(folder.checkpoint(step) / "checkpoint.json", facts | {"held_out": held_out})
    losses.write(folder, _losses(steps))
    outcome = {"steps": steps[-1], "checkpoints": list(steps), "seed": 0}
    write_yaml(folder.manifest, {"preset": "synthetic", "outcome": outcome, "sessions": [{"commit": None}]})
    write_json(folder.corpus, {"source": "bundled <text>", "train": {"words": 10}})
    return folder


def known_edge(task, layer, step):
    """Micro F1: half of the gain after the task's own time; a third of it in layers of static embeddings."""
    half, final, _ = EDGES[task]
    start = 0.5 - 0.02 * layer
    share = step**3 / (step**3 + half**3)
    return start + (final - start) * share * (1 / 3 if layer == 0 else 1 - 0.1 * abs(layer - 2))


def _edges(step):
    """Four layers; of ``made-up/entity`` nothing is learnt."""
    rows = []
    for task, (_, _, majority) in EDGES.items():

        def row(metric, value, layer=None, baseline=None, width=0.01, task=task):
            return {
                "task": task, "item": "", "metric": metric, "value": value, "low": value - width, "high": value + width,
                "n": 1000, "layer": layer, "baseline": baseline,
            }  # fmt: skip

        rows += [row("f1_micro", majority, baseline="majority"), row("share_unread", 0.02)]
        for layer in range(4):
            own = known_edge(task, layer, step)
            rows += [
                row("f1_micro", own, layer), row("f1_macro", own - 0.1, layer), row("selectivity", own - 0.3, layer),
                row("f1_micro", 0.3, layer, "control"), row("compression", 1 + own, layer),
                row("compression", 1.2, layer, "control"), row("f1", own, layer) | {"item": "NN"},
            ]  # fmt: skip
    return rows


def _knowledge(step, last, facts=60):
    """The set ``trex``, a tenth of whose facts slip now and then, and ``pararel``, whose templates agree ever more."""
    rows, items = [], []

    def row(task, item, metric, value, n=facts, baseline=None):
        low, high = (float(end) for end in wilson(round(min(max(value, 0), 1) * n), n))
        low, high = (low, high) if 0 <= value <= 1 else (value - 0.1, value + 0.1)
        return {
            "task": task, "item": item, "metric": metric, "value": value, "low": min(low, value),
            "high": max(high, value), "n": n, "baseline": baseline,
        }  # fmt: skip

    for relation, (half, final, common) in KNOWLEDGE.items():
        place = (np.arange(facts) + 0.5) / facts
        share = step**3 / (step**3 + half**3)
        slips = np.random.default_rng(step).random(facts) < 0.1
        items.append(
            pd.DataFrame(
                {
                    "item_id": [f"{relation}:{i}" for i in range(facts)],
                    "tag": relation,
                    "task": "trex",
                    "source": "made-up facts",
                    "subject": [f"Subject {i}" for i in range(facts)],
                    "object": "object",
                    "object_number": np.arange(facts) % 12,
                    "chosen": place < final,
                    "pieces": 1,
                    "correct": (place < final * share) & ~slips,
                    "common": place < common,
                    "named": place > 0.9,
                    "together": (facts - np.arange(facts)) // 6,
                }
            )
        )
    table = pd.concat(items, ignore_index=True)
    for item, own in [("", table), *table.groupby("tag")]:
        right, n = own["correct"].mean(), len(own)
        rows += [
            row("trex", item, "accuracy", right, n), row("trex/not named", item, "accuracy", right / 2, n),
            row("trex", item, "accuracy", own["common"].mean(), n, "most-common-object"),
            row("trex", item, "accuracy", 0.05, n, "without-subject"),
            row("trex", item, "precision_at_10", right, n), row("trex", item, "accuracy_of_candidates", right, n),
            row("trex", item, "gain", right * 2, n), row("trex/not named", item, "gain", right, n),
            row("trex", item, "reciprocal_rank", right, n), row("trex", item, "log_probability", right - 9, n),
            row("trex/several pieces", item, "log_probability", right - 20, 10),
            row("pararel", item, "accuracy", right, n), row("pararel", item, "accuracy_of_candidates", right, n),
            row("pararel", item, "accuracy", own["common"].mean(), n, "most-common-object"),
            row("pararel", item, "consistency", 0.5 + step / last / 4, n),
            row("pararel", item, "consistency", 0.5, n, "shuffled-subjects"),
        ]  # fmt: skip
    rows.append(row("trex", "P999", "excluded: object has an unknown piece", 3.0, 3) | {"low": None, "high": None})
    return rows, table


def known_score(task, seed, step):
    """RTE learns nothing; CoLA gains half by step 100; the last seed is a little worse."""
    return 0.5 if task == "RTE" else 0.2 + 0.5 * step / (step + 100) - 0.01 * seed


def _downstream(step, fine):
    """Two tasks, three seeds of fine-tuning, or a linear model that scores half of it; at step 20 a seed collapses."""
    rows = []
    for task in ("CoLA", "RTE"):
        for seed in range(3 if fine else 1):
            value = known_score(task, seed, step) * (1 if fine else 0.5)
            row = {"task": task, "item": "", "n": 300, "seed": seed, "baseline": None}
            rows.append(row | {"metric": "score", "value": value, "low": value - 0.02, "high": value + 0.02})
            if fine:
                fallen = float(step == 20 and seed == 1 and task == "CoLA")
                rows.append(row | {"metric": "collapsed", "value": fallen, "low": None, "high": None})
        for name, value in (("majority", 0.3), ("tf-idf", 0.6)):
            own = {"metric": "score", "value": value, "low": value - 0.02, "high": value + 0.02, "baseline": name}
            rows.append({"task": task, "item": "", "n": 300, "seed": 0} | own)
    return rows


def _words(sentences, tags, seed):
    """Every sentence has each tag about three times; ``lot`` decides how late a word is learnt."""
    rng = np.random.default_rng(seed)
    rows = [(f"s{s}:{n}", f"s{s}", "word", tags[n % len(tags)]) for s in range(sentences) for n in range(3 * len(tags))]
    words = pd.DataFrame(rows, columns=["item_id", "sentence", "word", "tag"])
    return words.assign(lot=rng.random(len(words)), frequent=rng.random(len(words)))


def _correct(words, step, slower, ceiling):
    half, final, _ = (words["tag"].map({tag: known[i] for tag, known in KNOWN.items()}) for i in range(3))
    share = step**3 / (step**3 + (half * slower) ** 3)
    return (words["lot"] < final * share * ceiling).to_numpy()


def _rows(task, scored, total):
    frequent = scored["frequent"] < scored["tag"].map({tag: known[2] for tag, known in KNOWN.items()})
    answers = {
        None: scored["correct"],
        "most-frequent-word": (scored["tag"] == "DT") & frequent,
        "most-frequent-in-group": frequent,
    }
    rows = []
    for baseline, right in answers.items():
        table = right.groupby(scored["tag"]).agg(["sum", "size"])
        if total:
            table.loc[""] = table.sum()
        for tag, count, n in table.itertuples():
            low, high = wilson(count, n)
            row = {"value": count / n, "low": float(low), "high": float(high), "n": n, "baseline": baseline}
            rows.append({"task": task, "item": tag, "metric": "accuracy"} | row)
    value = {"task": task, "item": "DT", "metric": "log_probability", "value": -3.0, "low": -3.1, "high": -2.9, "n": 10}
    return [*rows, value]


def _loss(step):
    """Falls to the unigram line (6.7) and stays until about step 1,000."""
    return 6.7 + 2.3 * np.exp(-step / 40) - 1.2 / (1 + np.exp(-(step - 1200) / 150))


def _losses(steps):
    rows = []
    for step in sorted({*steps, *range(10, steps[-1], 50)}):
        row = {
            "step": step, "tokens": step * 2048, "learning_rate": 1e-3 * (1 - step / (steps[-1] + 1)),
            "loss": _loss(step) + 0.7, "masked_loss": _loss(step) + 0.05 * np.sin(step), "pair_loss": 0.69,
            "gradient_norm": 1.0 + 0.3 * np.cos(step / 100), "tokens_per_second": 5000.0,
        }  # fmt: skip
        if step == 0:
            row |= dict.fromkeys(["loss", "masked_loss", "pair_loss", "gradient_norm", "tokens_per_second"])
        if step in steps:
            row |= {
                "held_out_masked_loss": _loss(step), "held_out_masked_loss_low": _loss(step) - 0.05,
                "held_out_masked_loss_high": _loss(step) + 0.05, "held_out_masked_accuracy": 0.05 + step / 10_000,
                "held_out_places": 4000, "held_out_pair_accuracy": 0.5 + step / 5000, "held_out_pairs": 400,
                "unigram_loss": 6.7, "unigram_accuracy": 0.05,
            }  # fmt: skip
        rows.append(row)
    return rows


def store_of(documents):
    """Documents as lists of sentence lengths; piece number n of the text has id 10 + n mod 900."""
    lengths = [length for document in documents for length in document]
    offsets = np.cumsum([0, *lengths])
    bounds = np.cumsum([0, *map(len, documents)])
    return TokenStore((10 + np.arange(offsets[-1]) % 900).astype(np.uint16), offsets, bounds)
