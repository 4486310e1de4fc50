"""Curricula: the sequences of a run from easy to hard, or the other way round.

What is read stays: every sequence of the whole run is read once as without a curriculum, cut and masked alike, only at
another step. So a run differs from its control in the order alone. Platanios et al. 2019 rank sentences by length and
rarity, Chobey et al. 2023 by the surprisal of a teacher.
"""

import numpy as np
import torch
from torch.nn import functional

from embryology.errors import EmbryologyError
from embryology.models.encoder import Encoder
from embryology.presets import Outcome
from embryology.presets.others import StartsFrom
from embryology.pretraining.batches import Batches
from embryology.pretraining.objectives import IGNORED
from embryology.runs import checkpoints
from embryology.runs.manifest import Manifest, steps_done
from embryology.runs.paths import RunFolder
from embryology.storage.files import written_whole

FILE = "surprisals.npy"
"""In a run's folder: (sequences,) float64, the masked loss of its teacher (nats) on each, as they come."""
AT_ONCE = 32


def places(batches: Batches, count: int, outcome: Outcome, surprisals: np.ndarray | None) -> np.ndarray | None:
    """(count,) int64: which sequence is read at each place of a run; None where they are read as they come.

    Those as hard as each other stay as they come.

    Raises:
        EmbryologyError: what the teacher answered is not there.
    """
    order = outcome.order
    if order is None:
        return None
    if order.by == "surprisal":
        if surprisals is None or len(surprisals) != count:
            raise EmbryologyError(f"the run's {FILE} is missing or of another run; restore it, or train the run again")
        hard = surprisals
    else:
        hard = (length if order.by == "length" else rarity)(batches, count)
    return np.argsort(-hard if order.reversed else hard, kind="stable")


def length(batches: Batches, count: int) -> np.ndarray:
    """(count,) pieces a sentence in the text of each sequence."""
    chunks = [batches.chunk(batches.before + place) for place in range(count)]
    first, after = batches.chunks[chunks].T
    sentences = np.asarray(batches.store.sentences)
    return (sentences[after] - sentences[first]) / (after - first)


def rarity(batches: Batches, count: int) -> np.ndarray:
    """(count,) nats: the mean over a sequence's text of -log of how frequent each piece is in the whole text."""
    pieces, sentences = np.asarray(batches.store.pieces), np.asarray(batches.store.sentences)
    counts = np.bincount(pieces)
    nats = -np.log(np.maximum(counts, 1) / len(pieces))
    bounds = (sentences[batches.chunks[batches.chunk(batches.before + place)]] for place in range(count))
    return np.array([nats[pieces[begin:end]].mean() for begin, end in bounds])


def teacher_of(outcome: Outcome) -> StartsFrom | None:
    """The run and step whose losses are asked for, by its name for this seed."""
    if outcome.order is None or outcome.order.teacher is None:
        return None
    teacher = outcome.order.teacher
    return teacher.model_copy(update={"run": teacher.run.replace("{seed}", str(outcome.seed))})


def refuse_unfit_teacher(outcome: Outcome, folder: RunFolder) -> None:
    """Said before anything is written; a run that has its teacher's answers needs the teacher no longer.

    Raises:
        EmbryologyError: the teacher is not there, or cannot answer for this text.
    """
    asked = teacher_of(outcome)
    if asked is None or steps_done(folder):
        return
    other = RunFolder.named(asked.run)
    manifest = Manifest.read(other)
    if manifest is None:
        raise EmbryologyError(f"order.teacher: there is no run in {other.root}; train it, or name another")
    theirs, reason = manifest.outcome, None
    for name in ("corpus", "tokenizer"):
        if getattr(theirs, name) != getattr(outcome, name):
            reason = f"has another {name}, and so other pieces"
    if theirs.longest < outcome.longest:
        reason = f"reads at most {theirs.longest} pieces, and sequences have {outcome.longest}"
    if theirs.model.family == "electra":
        reason = "is an electra, which predicts no masked words"
    if not other.checkpoint(asked.step).exists():
        reason = f"has no checkpoint of step {asked.step}"
    if reason:
        raise EmbryologyError(f"order.teacher: {asked.run} {reason}; name another")


def ask_teacher(outcome: Outcome, folder: RunFolder, batches: Batches) -> np.ndarray:
    """Its losses on all sequences of a run, written beside the run.

    Raises:
        EmbryologyError: its weights have changed.
    """
    asked = teacher_of(outcome)
    assert asked is not None
    checkpoint = checkpoints.of_run(RunFolder.named(asked.run).checkpoint(asked.step))
    answers = surprisals(Encoder.load(checkpoint), batches, outcome.sequences)
    with written_whole(folder.root / FILE) as temporary, open(temporary, "wb") as stream:
        np.save(stream, answers)
    return answers


def recorded(folder: RunFolder) -> np.ndarray | None:
    """What the teacher of a run answered; None of runs without."""
    file = folder.root / FILE
    return np.load(file) if file.exists() else None


@torch.inference_mode()
def surprisals(encoder: Encoder, batches: Batches, count: int) -> np.ndarray:
    """(count,) float64: the mean masked loss (nats) of a model on each sequence, as it is masked there.

    Args:
        encoder: the model.
        batches: of the run, from the first step on.
        count: how many sequences it reads.
    """
    losses = np.empty(0)
    for first in range(0, count, AT_ONCE):
        batch = batches.part(0, range(first, min(first + AT_ONCE, count))).to(torch.device(encoder.device))
        inputs = {"input_ids": batch.input_ids, "token_type_ids": batch.token_type_ids}
        logits = encoder.model(**inputs, attention_mask=batch.attention_mask.long()).logits
        at_places = logits.flatten(0, 1)[batch.positions]
        nats = functional.cross_entropy(at_places.float(), batch.labels, ignore_index=IGNORED, reduction="none")
        used = (batch.labels != IGNORED).view(len(batch.input_ids), -1)
        means = nats.view(used.shape).sum(1) / used.sum(1)
        losses = np.concatenate([losses, means.double().cpu().numpy()])
    return losses
