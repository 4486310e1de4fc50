"""How measuring scales: jobs of 1 to 64 checkpoints, and 1 and 2 workers.

    python benchmarks/scaling.py [--checkpoints 64] [--to FOLDER]

Trains nothing: a model of the preset `smoke` with random parameters is saved so many times, each with other parameters,
and jobs of `embryology study` measure it in processes of their own. Seconds of the processor count, those of a process
with its children, as others may use the machine; a speed-up is of the clock. Prints Markdown, for benchmarks/README.md.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import yaml

SIZES = (1, 2, 4, 8, 16, 32, 64)


def save(folder: Path, count: int) -> None:
    """``count`` checkpoints of a BERT of 2 layers × 128 with random parameters, and one tokenizer for all."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

    from embryology.corpus.articles import articles

    pieces = BertWordPieceTokenizer()
    texts = (article.text for number, article in enumerate(articles("bundled")) if number < 300)
    pieces.train_from_iterator(texts, vocab_size=2000, show_progress=False)
    folder.mkdir(parents=True)
    treebank(folder / "sentences.conllu")
    special = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces._tokenizer, mask_token="[MASK]", model_max_length=128, **special
    )
    shape = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 512}
    tokenizer.save_pretrained(folder / "tokenizer")
    for step in range(count):
        torch.manual_seed(step)
        model = BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=128, **shape))
        model.save_pretrained(folder / f"checkpoint-{step}")


def treebank(file: Path) -> None:
    """200 sentences of the bundled text, all words of one tag: what is measured is time."""
    from embryology.corpus.articles import articles
    from embryology.corpus.sentences import split

    sentences = (sentence for article in articles("bundled") for sentence in split(article.text))
    blocks = []
    for number, sentence in enumerate(itertools.islice(sentences, 200)):
        words = [f"{place}\t{word}\t_\tNOUN\tNN\t_\t{int(place > 1)}\t{'dep' if place > 1 else 'root'}\t_\t_"
                 for place, word in enumerate(sentence.split(), 1)]  # fmt: skip
        blocks.append("\n".join([f"# sent_id = d-{number}", *words]))
    file.write_text("\n\n".join(blocks) + "\n\n", encoding="utf-8")


def job(study: Path, name: str, environment: dict[str, str]) -> tuple[float, float, float]:
    """Seconds of the clock and of the processor, and MB at most, of a job in a process of its own."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "embryology", "study", "job", str(study), name]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(said)
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--checkpoints", type=int, default=64)
    options.add_argument("--to", type=Path, help="where to work; a temporary folder if left out")
    chosen = options.parse_args()
    folder = chosen.to or Path(tempfile.mkdtemp())
    sizes = [size for size in SIZES if size <= chosen.checkpoints]
    save(folder / "series", sizes[-1])
    rows = []
    for size in sizes:
        environment, study = written(folder, f"of-{size}", range(size), size)
        clock, processor, memory = job(study, f"measure/series/probes/0-{size - 1}", environment)
        rows.append((size, processor, memory, clock))
        print(
            f"{size} checkpoints: {processor:.1f} s of the processor, {clock:.1f} of the clock, {memory:,.0f} MB",
            flush=True,
        )
    print("\n| checkpoints a job | seconds of the processor | of the clock | MB at most |\n|---|---|---|---|")
    for size, processor, memory, clock in rows:
        print(f"| {size} | {processor:.1f} | {clock:.1f} | {memory:,.0f} |")
    counts, seconds, megabytes = (np.array([row[place] for row in rows[1:]]) for place in (0, 1, 2))
    # The first job also annotates and prepares what later ones find.
    a_cell, start = np.polyfit(counts, seconds, 1)
    off = np.abs(start + a_cell * counts - seconds) / seconds
    print(f"\nstart {start:.1f} s a job, {a_cell:.2f} s a checkpoint; at most {off.max():.0%} off that line")
    print(f"memory: {megabytes[-1] - megabytes[0]:+,.0f} MB from {counts[0]} to {counts[-1]} checkpoints")
    half = sizes[-1] // 4
    for workers in (1, 2):
        environment, study = written(folder, f"by-{workers}", range(half), half // 2)
        names = [f"measure/series/probes/0-{half // 2 - 1}", f"measure/series/probes/{half // 2}-{half - 1}"]
        began = time.perf_counter()
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda name: job(study, name, environment), names))  # noqa: B023
        print(f"{half} checkpoints in 2 jobs, {workers} at a time: {time.perf_counter() - began:.1f} s of the clock")


def written(folder: Path, name: str, steps: range, chunk: int) -> tuple[dict[str, str], Path]:
    """A study of these checkpoints with measurements of its own; the environment for its jobs, and its file."""
    place = folder / name
    place.mkdir(parents=True)
    (place / "series").mkdir()
    for step in steps:
        (place / "series" / f"checkpoint-{step}").symlink_to((folder / "series" / f"checkpoint-{step}").resolve())
    (place / "series" / "tokenizer").symlink_to((folder / "series" / "tokenizer").resolve())
    tokens = {"treebank": str(folder.resolve() / "series" / "sentences.conllu"), "mask_words_per_tag": 100}
    probes = {"tokens": tokens, "knowledge": {"facts": 20}}
    study = place / "study.yaml"
    study.write_text(yaml.safe_dump({"series": ["series"], "probes": probes, "chunk": chunk, "threads": 1}))
    return {**os.environ, "EMBRYOLOGY_RUNS": str(folder / "runs"), "OMP_NUM_THREADS": "1"}, study


if __name__ == "__main__":
    main()
