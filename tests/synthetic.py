"""Runs that were never trained: measurements made from known curves, for analysis, figures and notebooks."""

import numpy as np
import pandas as pd

from embryology import presets
from embryology.corpus.store import TokenStore
from embryology.intervals import wilson
from embryology.runs import losses, measurements, properties
from embryology.runs.checkpoints import RECORD, Checkpoint
from embryology.runs.manifest import Manifest
from embryology.runs.paths import RunFolder
from embryology.runs.series import Series
from embryology.specs import registry
from embryology.specs.properties import EXPOSURE, FREQUENCY, NGRAMS
from embryology.storage.files import read_json, write_json, write_table, write_yaml
from tests.synthetic_attention import attention
from tests.synthetic_completions import completions
from tests.synthetic_divergence import divergence
from tests.synthetic_grammar import grammar
from tests.synthetic_similarity import similarity

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


PROBES = (
    *("tokens", "edges", "attention", "completions", "divergence", "grammar", "similarity", "knowledge"),
    *("frozen", "finetune"),
)


def make_run(
    root,
    steps=STEPS,
    source=SILVER,
    sentences=120,
    total=True,
    without=(),
    factor=1.0,
    seed=0,
    outcome=None,
    tags=None,
    weights=lambda step: step,
    only=PROBES,
):
    """A series with everything but weights.

    ``total``: whether mask prediction has one; ``without``: tags that no word has; ``factor``: of
    all learning times; the tag ``NNP`` never clears blind answers; ``outcome``: changes of the manifest's;
    ``tags``: other names of tags; ``weights``: a number by step, the same for the same weights; ``only``: probes that
    have measured it, as a whole run takes two seconds.
    """
    folder = RunFolder(root)
    words = _words(sentences, [tag for tag in KNOWN if tag not in without], seed)
    for step in steps:
        record = {"step": step, "tokens": step * 2048, "epoch": step / 500, "sha256": f"{weights(step):064x}"}
        write_json(folder.checkpoint(step) / RECORD, record | {"held_out": {"held_out_masked_loss": _loss(step)}})
        measured = {
            "tokens": lambda step=step: _tokens(step, words, source, total, factor, tags or {}),
            "edges": lambda step=step: (_edges(step), _edge_items(source)),
            "attention": lambda step=step: attention(step, source),
            "completions": lambda step=step: completions(step, source),
            "divergence": lambda step=step: divergence(step),
            "grammar": lambda step=step: grammar(step, source),
            "similarity": lambda step=step: similarity(step, source, steps[-1]),
            "knowledge": lambda step=step: _knowledge(step, steps[-1]),
            "frozen": lambda step=step: (_downstream(step, False), None),
            "finetune": lambda step=step: (_downstream(step, True), _finetune_items()),
        }
        for probe in only:
            measure(folder, probe, step, *measured[probe]())
    if "tokens" in only:
        properties.write(folder, configuration("tokens"), FREQUENCY, _frequency(words))
        _count_overlap(folder, words)
        _count_exposure(folder, words, steps)
    losses.write(folder, _losses(steps))
    base = presets.load("smoke").outcome
    changes = {"steps": steps[-1], "checkpoints": list(steps), "seed": seed} | (outcome or {})
    write_manifest(folder, base.model_copy(update=changes))
    write_json(folder.corpus, {"source": "bundled <text>", "train": {"words": 10}})
    return Series.open(folder.root)


def _tokens(step, words, source, total, factor, tags):
    rows, items = [], []
    for task, slower in (("reconstruction", 1), ("mask-prediction", 2)):
        scored = words.assign(task=task, correct=_correct(words, step, slower * factor, 1 / slower))
        items.append(scored.assign(**_frequent(scored)))
        rows += _rows(task, scored, total or task == "reconstruction")
    rows = [each | {"group": tags.get(each["group"], each["group"])} for each in rows]
    rows.append(measurements.row("alignment", "", "share_unaligned", 0.0, n=len(words), seed=0))
    columns = ["item_id", "sentence", "word", "group", "task", "correct"]
    details = pd.concat(items)[[*columns, "most-frequent-word", "most-frequent-in-group"]]
    details = details.assign(group=details["group"].replace(tags))
    return rows, details.assign(log_probability=-3.0, source=source)


def _edge_items(source):
    details = {"item_id": "s0:1", "sentence": "s0", "task": [*EDGES], "correct": True, "layers": 15}
    return pd.DataFrame(details).assign(group="NN", source=source)


def _finetune_items():
    details = pd.DataFrame({"item_id": ["RTE:dev:1"], "task": ["RTE"], "seed": [0], "correct": [True]})
    return details.assign(source="made-up tasks")


def frame_of(items):
    """What the tokens probe says of items of one series, as :func:`embryology.analysis.tables.read` gives it."""
    tables = []
    for baseline, column in (
        (None, "correct"),
        *((name, name) for name in ("most-frequent-word", "most-frequent-in-group")),
    ):
        rows = items.groupby(["task", "group", "step"], as_index=False).agg(value=(column, "mean"), n=(column, "size"))
        low, high = wilson((rows["value"] * rows["n"]).round(), rows["n"])
        tables.append(rows.assign(baseline=baseline, low=low, high=high))
    return pd.concat(tables, ignore_index=True).assign(series="made up", metric="accuracy", tokens=0)


def write_manifest(folder, outcome, probes=None, version=presets.VERSION):
    """A ``run.yaml`` of one session."""
    session = {
        "started": "2020-11-16T12:00:00+00:00", "command": "embryology pretrain synthetic", "speed": {},
        "precision": "float32", "device": "a processor", "system": "Linux", "python": "3.11", "versions": {},
        "commit": None,
    }  # fmt: skip
    values = {"preset": "synthetic", "outcome": outcome.model_dump(mode="json"), "outcome_sha256": "0" * 64}
    values["version"] = version
    manifest = Manifest.model_validate(values | {"probes": probes or {}, "sessions": [session]})
    write_yaml(folder.manifest, manifest.model_dump(mode="json"))


def configuration(probe, **settings):
    """That of the synthetic measurements."""
    specification = registry.get(probe)
    return measurements.Configuration(
        probe=probe, version=specification.version, settings=settings, data={"made": "up"}, tokenizer="0" * 64
    )


def measure(folder, probe, step, rows, items=None, settings=None):
    """Write what a probe says of the checkpoint at ``step``, and let it stand."""
    record = read_json(folder.checkpoint(step) / RECORD)
    checkpoint = Checkpoint(step, record["tokens"], folder.checkpoint(step), record["sha256"])
    own = configuration(probe, **(settings or {}))
    rows_file, items_file = own.files(folder, checkpoint)
    columns = {"series": folder.name, "step": step, "tokens": checkpoint.tokens, "model": "albert"}
    columns |= {"objective": "masked", "probe": probe, "key": own.key(checkpoint)}
    measurements.write(rows_file, pd.DataFrame(rows).assign(**columns))
    if items is not None:
        write_table(items_file, items.assign(step=step))
    measurements.let_stand(folder, own)
    measurements.write_standing(folder, measurements.standing(folder).values())  # in one file, as of a frozen run


def _count_overlap(folder, words):
    """Every fourth sentence stands in the training text, half of those as a whole; no fact is long enough to."""
    number = words["sentence"].str[1:].astype(int)
    found = {"sentence": number % 8 == 0, "ngram": number % 4 == 0, "passage": number}
    table = words[["item_id"]].assign(has_sentence=True, has_ngram=True, **found)
    properties.write(folder, configuration("tokens"), "overlap", table)
    ids = [(f"{relation}:{i}", "trex") for relation in KNOWLEDGE for i in range(60)]
    short = pd.DataFrame(ids, columns=["item_id", "task"]).assign(passage=range(len(ids)))
    short[["has_sentence", "has_ngram", "sentence", "ngram"]] = False
    properties.write(folder, configuration("knowledge"), "overlap", short)


def _count_exposure(folder, words, steps):
    """Words and facts are read by chance, the frequent ones more often; half of the readings ask for them. A word is as
    likely as its left neighbour says."""
    rng, ends = np.random.default_rng(0), np.array([step for step in steps if step > 0])
    widths = np.diff(steps)[-len(ends) :]
    types = _frequency(words).drop_duplicates("type")
    ids = [("trex", f"{relation}:{i}") for relation in KNOWLEDGE for i in range(60)]
    facts = pd.DataFrame(ids, columns=["task", "item_id"])
    for probe, items, rate in (
        ("tokens", types[["item_id"]], types["count"].to_numpy() / 1e5),
        ("knowledge", facts, np.linspace(1e-4, 1e-2, len(facts))),
    ):
        read = rng.poisson(rate[:, None] * widths)
        masked, there = rng.binomial(read, 0.5), read > 0
        table = items.loc[items.index.repeat(len(ends))].reset_index(drop=True)
        first, last = np.where(there, ends - widths + 1, 0), np.where(there, ends, 0)
        columns = {"sequences": read, "masked": masked, "first": first, "last": last}
        table = table.assign(step=np.tile(ends, len(items)), **{name: each.ravel() for name, each in columns.items()})
        properties.write(folder, configuration(probe), EXPOSURE, table)
    likely = {name: -9 + rng.normal(size=len(words)) for name in ("unigram", "left", "right", "both")}
    properties.write(folder, configuration("tokens"), NGRAMS, words[["item_id"]].assign(**likely))


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
            ends = value - width, value + width
            return measurements.row(task, "", metric, value, ends, 1000, layer=layer, seed=0, baseline=baseline)

        rows += [row("f1_micro", majority, baseline="majority"), row("share_unread", 0.02)]
        rows.append(row("compression", 1.5, baseline="label-frequencies"))
        for layer in range(4):
            own = known_edge(task, layer, step)
            rows += [
                row("f1_micro", own, layer), row("f1_macro", own - 0.1, layer), row("selectivity", own - 0.3, layer),
                row("f1_micro", 0.3, layer, "control"), row("compression", 1 + own, layer),
                row("compression", 1.2, layer, "control"), row("f1", own, layer) | {"group": "NN"},
                row("selectivity", own - 0.2, layer) | {"group": "recurring"},
            ]  # fmt: skip
    return rows


def _knowledge(step, last, facts=60):
    """The set ``trex``, a tenth of whose facts slip now and then, and ``pararel``, whose templates agree ever more."""
    rows, items = [], []

    def row(task, group, metric, value, n=facts, baseline=None):
        ends = tuple(float(end) for end in wilson(round(min(max(value, 0), 1) * n), n))
        ends = ends if 0 <= value <= 1 else (value - 0.1, value + 0.1)
        return measurements.row(task, group, metric, value, ends, n, seed=0, baseline=baseline, unit="object")

    for relation, (half, final, common) in KNOWLEDGE.items():
        place = (np.arange(facts) + 0.5) / facts
        share = step**3 / (step**3 + half**3)
        slips = np.random.default_rng(step).random(facts) < 0.1
        items.append(
            pd.DataFrame(
                {
                    "item_id": [f"{relation}:{i}" for i in range(facts)],
                    "group": relation,
                    "task": "trex",
                    "source": "made-up facts",
                    "subject": [f"Subject {i}" for i in range(facts)],
                    "object": "object",
                    "object_number": np.arange(facts) % 30,
                    "chosen": place < final,
                    "pieces": 1,
                    "correct": (place < final * share) & ~slips,
                    "log_probability": -1.0 - 5 * place / (1 + share),
                    "common": place < common,
                    "named": place > 0.9,
                    "held_out": False,
                    "together": (facts - np.arange(facts)) // 6,
                }
            )
        )
    table = pd.concat(items, ignore_index=True)
    for answer, right in (("answer", "correct"), ("choice", "chosen")):
        table[answer] = table["object_number"].where(table[right], -1)
        table[f"{answer}_alone"] = -1
    table["held_out"] = False
    for group, own in [("", table), *table.groupby("group")]:
        right, n = own["correct"].mean(), len(own)
        rows += [
            row("trex", group, "accuracy", right, n), row("trex/not named", group, "accuracy", right / 2, n),
            row("trex", group, "accuracy", own["common"].mean(), n, "most-common-object"),
            row("trex", group, "accuracy", 0.05, n, "without-subject"),
            row("trex", group, "known", right, n), row("trex/not named", group, "known", right / 2, n),
            row("trex", group, "precision_at_10", right, n), row("trex", group, "accuracy_of_candidates", right, n),
            row("trex", group, "gain", right * 2, n), row("trex/not named", group, "gain", right, n),
            row("trex", group, "reciprocal_rank", right, n), row("trex", group, "log_probability", right - 9, n),
            row("trex/several pieces", group, "log_probability", right - 20, 10),
            row("pararel", group, "accuracy", right, n), row("pararel", group, "accuracy_of_candidates", right, n),
            row("pararel", group, "accuracy", own["common"].mean(), n, "most-common-object"),
            row("pararel", group, "consistency", 0.5 + step / last / 4, n),
            row("pararel", group, "consistency", 0.5, n, "shuffled-subjects"),
        ]  # fmt: skip
    rows.append(measurements.row("trex", "P999", "excluded", 3, n=3, seed=0, reason="object has an unknown piece"))
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
            rows.append(measurements.row(task, "", "score", value, (value - 0.02, value + 0.02), 300, seed=seed))
            if fine:
                collapsed = step == 20 and seed == 1 and task == "CoLA"
                rows.append(measurements.row(task, "", "collapsed", collapsed, n=300, seed=seed))
        for name, value in (("majority", 0.3), ("tf-idf", 0.6)):
            ends = value - 0.02, value + 0.02
            rows.append(measurements.row(task, "", "score", value, ends, 300, seed=0, baseline=name))
    return rows


def _words(sentences, tags, seed):
    """Every sentence has each tag about three times; ``lot`` decides how late a word is learnt."""
    rng = np.random.default_rng(seed)
    rows = [(f"s{s}:{n}", f"s{s}", "word", tags[n % len(tags)]) for s in range(sentences) for n in range(3 * len(tags))]
    words = pd.DataFrame(rows, columns=["item_id", "sentence", "word", "group"])
    return words.assign(lot=rng.random(len(words)), frequent=rng.random(len(words)))


def _frequency(words):
    """Two words make a type; the earlier a group is learnt, the more frequent its words are."""
    half = words["group"].map({tag: known[0] for tag, known in KNOWN.items()})
    types = words.groupby("group").cumcount() // 2 + 1000 * words["group"].factorize()[0]
    count = (1e6 / half**1.5 * (0.5 + types % 7)).astype(int)
    table = pd.DataFrame({"item_id": words["item_id"], "type": types, "pieces": 1, "count": count})
    return table.assign(before=1, after=1)


def _correct(words, step, slower, ceiling):
    half, final, _ = (words["group"].map({tag: known[i] for tag, known in KNOWN.items()}) for i in range(3))
    share = step**3 / (step**3 + (half * slower) ** 3)
    return (words["lot"] < final * share * ceiling).to_numpy()


def _frequent(scored):
    """What the set's most frequent word, a determiner, gets right, and that of the group."""
    frequent = scored["frequent"] < scored["group"].map({tag: known[2] for tag, known in KNOWN.items()})
    return {"most-frequent-word": (scored["group"] == "DT") & frequent, "most-frequent-in-group": frequent}


def _rows(task, scored, total):
    answers = {None: scored["correct"]} | _frequent(scored)
    rows = []
    for baseline, right in answers.items():
        table = right.groupby(scored["group"]).agg(["sum", "size"])
        if total:
            table.loc[""] = table.sum()
        for tag, count, n in table.itertuples():
            ends = tuple(float(end) for end in wilson(count, n))
            rows.append(measurements.row(task, tag, "accuracy", count / n, ends, n, seed=0, baseline=baseline))
    return [*rows, measurements.row(task, "DT", "log_probability", -3.0, (-3.1, -2.9), 10, seed=0)]


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
                "held_out_surface_accuracy": 0.52,
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
