"""The page "Ask it" beside transformers: pieces, logits and answers of thousands of texts, times, sizes.

    python benchmarks/ask.py RUN [--texts 1000] [--steps 3600] [--only node|chromium|times]

Needs Node and Chromium. Texts are sentences of held-out articles, and as many made by the fuzzer of the tests; each is
asked at one place: a sentence at a word that is masked, the others anywhere. Those that are longer than the model reads
are compared by their pieces alone.
"""

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer
from transformers.utils import logging

from embryology.ask import writing
from embryology.corpus.articles import articles, is_held_out
from embryology.corpus.sentences import split
from embryology.runs.packed import series as packed_series
from embryology.runs.series import Series
from tests import browser
from tests.ask import fuzzed, models, node

TOLERANCE = 1e-2
MASK = "[MASK]"
TWENTY = "In the summer of 1912 the old king and his two sons left the city and went to the north."
"""Twenty words."""


def texts(count: int) -> dict[str, list[str]]:
    held_out = [
        sentence for article in articles("bundled") if is_held_out(article.title) for sentence in split(article.text)
    ]
    draw = random.Random(0)
    words = [word for sentence in held_out for word in sentence.split()]
    made = [fuzzed.text(draw, words) for _ in range(count - 1)] + ["".join(draw.choices(words, k=2500))[:10_000]]
    chosen = draw.sample(held_out, min(count, len(held_out)))
    return {"held-out": [masked(sentence, draw) for sentence in chosen], "fuzzed": made}


def masked(sentence: str, draw: random.Random) -> str:
    """With one word less."""
    words = sentence.split()
    words[draw.randrange(len(words))] = MASK
    return " ".join(words)


def place(ids: list[int], mask: int, draw: random.Random) -> int:
    """The first mask, else anywhere but at the ends."""
    return ids.index(mask) if mask in ids else draw.randrange(1, len(ids) - 1)


def compare(series: Series, packed: packed_series.Packed, page: Path, count: int, steps: list[int], in_chromium: bool):
    """Print a line a kind of text, and a step."""
    tokenizer = AutoTokenizer.from_pretrained(series.checkpoints[-1].location)
    longest = min(model["positions"] for model in packed.models.values())
    draw, where = random.Random(1), "Chromium" if in_chromium else "Node"
    for kind, some in texts(count).items():
        encoded = [tokenizer(text)["input_ids"] for text in some]
        asked = [
            (text, [place(ids, tokenizer.mask_token_id, draw)] if 2 < len(ids) <= longest else [])
            for text, ids in zip(some, encoded, strict=True)
        ]
        answers = chromium_answers(page, steps, asked) if in_chromium else node_answers(page, steps, asked)
        same = sum(answer["ids"] == ids for answer, ids in zip(answers, encoded, strict=True))
        print(f"{where}, {kind}: {same:,} of {len(some):,} texts have the same pieces")
        for step in steps:
            checkpoint = next(each for each in series.checkpoints if each.step == step)
            words = checkpoint.generator or checkpoint
            exact = AutoModelForMaskedLM.from_pretrained(words.location).eval()
            eight = models.loaded(words, packed.weights(step)["words"], type(exact))
            error, right, clear, kept, clear_kept, far = 0.0, 0, 0, 0, 0, []
            for (_, at), ids, answer in zip(asked, encoded, answers, strict=True):
                if not at:
                    continue
                with torch.inference_mode():
                    ours, theirs = (model(torch.tensor([ids])).logits[0, at[0]].numpy() for model in (eight, exact))
                here = np.array(answer["logits"][str(step)]["words"][0])
                error = max(error, float(np.abs(here - ours).max()))
                far.append(float(np.abs(here - theirs).max()))
                first, second = np.sort(ours)[:-3:-1]
                if first - second > TOLERANCE:
                    clear += 1
                    right += int(here.argmax() == ours.argmax())
                first, second = np.sort(theirs)[:-3:-1]
                kept += int(here.argmax() == theirs.argmax())
                clear_kept += int(first - second > TOLERANCE and here.argmax() != theirs.argmax())
            print(
                f"  step {step}: {len(far):,} asked; logits off by {error:.1e} at most from transformers with the same "
                f"weights, the same top answer in {right:,} of {clear:,} places where the best two are further "
                f"apart than {TOLERANCE}; from float32 weights off by {np.median(far):.3f} (median of the largest) and "
                f"{max(far):.3f} at most, the same top answer in {kept:,}, another in {clear_kept} where those are"
            )


def node_answers(page: Path, steps: list[int], asked: list) -> list[dict]:
    """By text; logits of some hundreds at a time fit a string."""
    parts = [asked[start : start + 250] for start in range(0, len(asked), 250)]
    return [answer for part in parts for answer in node.asked(page, "run", steps, part)["answers"]]


def chromium_answers(page: Path, steps: list[int], asked: list) -> list[dict]:
    """What ``tests/ask/in_node.js`` asks, in a tab that has the page open."""
    code = Path(node.__file__).with_name("in_node.js").read_text()
    body = code[code.index("evaluate(`") + len("evaluate(`") : code.index("`).then")]
    with browser.chromium() as tab:
        tab.open(page / "empty.html")
        tab.evaluate(
            "(() => { const script = document.createElement('script'); script.textContent = embryologyHead.worker;"
            "document.head.append(script); })()"
        )
        tab.evaluate(
            "globalThis.blocks = {}; 0;"
            "globalThis.embryologyAsk = { received(_, step, content) { blocks[step] = content; } }; 0"
        )
        for file in (page / "run").iterdir():
            tab.evaluate(
                "new Promise((resolve) => { const script = document.createElement('script');"
                f"script.src = {json.dumps(file.as_uri())}; script.onload = () => resolve(1);"
                "document.head.append(script); })"
            )
        answers: list[dict] = []
        for start in range(0, len(asked), 100):
            here = json.dumps(asked[start : start + 100])
            tab.evaluate(f"globalThis.texts = {here}; globalThis.steps = {steps}; 0")
            answers += json.loads(tab.evaluate(body.rstrip().rstrip(";")))["answers"]
        return answers


def times(page: Path, count: int) -> None:
    """Print how long the page takes, of several tries."""
    asked = (
        "new Promise((resolve) => { const start = performance.now(), field = document.querySelector('textarea');"
        "field.value = %s; field.dispatchEvent(new Event('input'));"
        "const look = () => (%s ? resolve(performance.now() - start) : setTimeout(look, 2)); look(); })"
    )
    status = "/likeliest/.test(document.querySelector('.ask-status').textContent)"
    legends = "[...document.querySelectorAll('.ask-legend')]"
    whole = f"{legends}.some((each) => !each.hidden && /{count} of {count} checkpoints/.test(each.textContent))"
    with browser.chromium() as tab:
        start = time.monotonic()
        tab.open(page / "index.html")
        tab.until(status)
        print(f"first answer after opening: {time.monotonic() - start:.2f} s")
        tab.until(whole)
        print(f"all {count} checkpoints after opening: {time.monotonic() - start:.2f} s")
        answer, every = [], []
        for number in range(5):
            text = json.dumps(TWENTY.replace("1912", f"19{number}2").replace("king", "[MASK]"))
            answer.append(tab.evaluate(asked % (text, status)))
            tab.until(whole)
            text = json.dumps(TWENTY.replace("1912", f"18{number}2").replace("king", "[MASK]"))
            every.append(tab.evaluate(asked % (text, whole)))
        print(f"20 words: an answer in {np.median(answer):.0f} ms ({min(answer):.0f} to {max(answer):.0f})")
        print(f"20 words at all {count}: {np.median(every):,.0f} ms ({min(every):,.0f} to {max(every):,.0f})")
        print(f"console: {tab.console or 'empty'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--steps", default="3600")
    parser.add_argument("--only", choices=["node", "chromium", "times"])
    given = parser.parse_args()
    logging.set_verbosity_error()
    series = Series.open(given.run)
    with tempfile.TemporaryDirectory() as folder:
        page, start = Path(folder) / "page", time.monotonic()
        packed = packed_series.of_series(series)
        writing.write({"run": packed}, page)
        sizes = {file.relative_to(page): file.stat().st_size for file in page.rglob("*") if file.is_file()}
        own = sum(size for name, size in sizes.items() if len(name.parts) == 1)
        print(
            f"made in {time.monotonic() - start:.1f} s: {own / 1e3:.0f} kB of HTML, style and script, "
            f"{sum(sizes.values()) / 1e6:.1f} MB in all"
        )
        head = (page / "ask.js").read_text().splitlines()[1]
        (page / "empty.html").write_text(f"<!doctype html><title>empty</title><script>{head}</script>")
        steps = [int(step) for step in given.steps.split(",")]
        if given.only in (None, "times"):
            times(page, len(packed.steps))
        for where in ("node", "chromium"):
            if given.only in (None, where):
                compare(series, packed, page, given.texts, steps, where == "chromium")


if __name__ == "__main__":
    main()
