"""A run small enough for tests: a preset on 300 bundled articles, trained in a second or two."""

from pathlib import Path

from rich.console import Console

from embryology import presets
from embryology.corpus.articles import articles
from embryology.pretraining.loop import pretrain
from embryology.runs.paths import RunFolder

SHORT = {"batch_size": 16, "sequence_length": 32}
"""Steps that take a quarter of the time, where a test has many runs and each only has to end alike."""


def small_preset(folder: Path, count: int = 300, **changes) -> presets.Preset:
    """``smoke`` on a text file of ``count`` articles that is made in ``folder``; ``changes`` replace keys of its
    outcome."""
    text = folder / f"articles-{count}.txt"
    if not text.exists():
        text.write_text("\n\n".join(article.text for article in list(articles("bundled"))[:count]))
    outcome = presets.load("smoke").outcome.model_dump(mode="json")
    outcome |= {
        "corpus": {"source": "text", "path": str(text)},
        "tokenizer": {"vocab_size": 600},
        "held_out_sequences": 32,
        "steps": 60,
        "checkpoints": [0, 5, 20, 60],
    }
    values = {
        "name": "small",
        "outcome": outcome | changes,
        "speed": {"threads": 1, "precision": "float32", "resume_every": 10},
    }
    return presets.validated(values, origin="small")


def train(preset: presets.Preset, root: Path, resume: bool = False) -> RunFolder:
    folder = RunFolder(root)
    pretrain(preset, folder, resume=resume, console=Console(quiet=True))
    return folder
