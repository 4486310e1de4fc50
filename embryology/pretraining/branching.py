"""Runs that begin with the state of another one, so that several ends are trained from one beginning.

The phases of a branch are those of the whole run, and up to where it branches off they are the other run's: it ends,
bit for bit, where it would have ended had it been trained from random parameters. So it gets the other run's
losses and state up to there, and those of its checkpoints that it lists itself, and is resumed.

A run that is *grown* from a smaller one begins with the weights of one of its checkpoints, made larger, at step 0.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from embryology.corpus.several import OTHERS
from embryology.errors import EmbryologyError
from embryology.models.optimizers import stage_rate
from embryology.presets import VERSION, Outcome, Preset
from embryology.pretraining import growing, order, state
from embryology.runs import checkpoints, losses
from embryology.runs.checkpoints import Checkpoint
from embryology.runs.manifest import Manifest, Origin, steps_done
from embryology.runs.paths import RunFolder
from embryology.storage.files import read_json, removed_whole, sha256_of_file, written_whole

MAY_DIFFER = {"steps", "phases", "batch_size", "checkpoints", "evaluate_every", "optimizer", "replaced"}
"""Parts of an outcome of which not all, or of which what they do before the branch, has to be the same, and
evaluations between checkpoints, which change no weight."""


def origin_of(preset: Preset, folder: RunFolder) -> Origin | None:
    """What ``preset`` begins with, held against what the run in ``folder`` began with, if there is one.

    One that has a state of its own needs nothing of the other run, which may have been removed since, or its state.

    Raises:
        EmbryologyError: the other run is not there, keeps no state of that step, was trained otherwise up to there, or
            is not what it was.
    """
    asked, recorded = preset.origin, Manifest.read(folder)
    if asked is None:
        return None
    other = RunFolder.named(asked.run)
    begun = recorded.origin if recorded and steps_done(folder) else None
    found = begun or (_found if preset.starts_from else _smaller)(preset.outcome, other, asked.run, asked.step)
    if recorded and recorded.origin != (_now(begun, other) if begun else found):
        raise EmbryologyError(
            f"{folder.root} began with step {asked.step} of {asked.run}, which has changed since; restore it, or give "
            "another --run"
        )
    return found


def _now(origin: Origin, other: RunFolder) -> Origin:
    """``origin`` with what is still there of the other run as it is now."""
    manifest, saved = Manifest.read(other), state.file(other.state, origin.step)
    there = {"outcome_sha256": manifest.outcome_sha256} if manifest else {}
    if other.checkpoint(origin.step).exists():
        there["checkpoint_sha256"] = checkpoints.of_run(other.checkpoint(origin.step)).sha256
    if origin.state_sha256 and saved.exists():
        there["state_sha256"] = sha256_of_file(saved)
    return origin.model_copy(update=there)


def _found(outcome: Outcome, other: RunFolder, run: str, step: int) -> Origin:
    manifest = Manifest.read(other)
    if manifest is None:
        raise EmbryologyError(f"starts_from: there is no run in {other.root}; train it, or name another")
    if manifest.version != VERSION:
        raise EmbryologyError(f"starts_from: {run} was trained by another version of training; train it again")
    for difference in _differences(manifest.outcome, outcome, step):
        raise EmbryologyError(
            f"starts_from: {run} has another {difference}; up to step {step} both must be the same, as a branch "
            "changes what comes after it"
        )
    saved = _state(other, run, step)
    checkpoint = checkpoints.of_run(other.checkpoint(step))
    checkpoint.verify()
    return Origin(
        run=run,
        step=step,
        outcome_sha256=manifest.outcome_sha256,
        checkpoint_sha256=checkpoint.sha256,
        state_sha256=sha256_of_file(saved),
    )


def _smaller(outcome: Outcome, other: RunFolder, run: str, step: int) -> Origin:
    """A checkpoint that ``outcome`` is grown from."""
    manifest, grown = Manifest.read(other), outcome.grown_from
    if manifest is None:
        raise EmbryologyError(f"grown_from: there is no run in {other.root}; train it, or name another")
    refused = growing.refusal(manifest.outcome.model, outcome.model, grown) if grown else None
    for name in ("corpus", "tokenizer"):
        if getattr(manifest.outcome, name) != getattr(outcome, name):
            refused = f"the other has another {name}, and so other pieces"
    if manifest.outcome.longest != outcome.longest:
        refused = (
            f"longest sequences have {manifest.outcome.longest} and {outcome.longest} pieces, as many as positions"
        )
    if refused:
        raise EmbryologyError(f"grown_from: {run} cannot grow into this model: {refused}")
    if not other.checkpoint(step).exists():
        raise EmbryologyError(
            f"grown_from: {run} has no checkpoint of step {step}; name one of `embryology show {run}`"
        )
    checkpoint = checkpoints.of_run(other.checkpoint(step))
    checkpoint.verify()
    return Origin(run=run, step=step, outcome_sha256=manifest.outcome_sha256, checkpoint_sha256=checkpoint.sha256)


def smaller(origin: Origin, folder: RunFolder) -> Checkpoint:
    """The checkpoint that the run in ``folder`` is grown from.

    Raises:
        EmbryologyError: its pieces are others, or it has changed.
    """
    other = RunFolder.named(origin.run)
    ours, theirs = (read_json(each.corpus).get("tokenizer_sha256") for each in (folder, other))
    if ours != theirs:
        raise EmbryologyError(f"grown_from: {origin.run} was trained on other pieces, as its text has changed since")
    checkpoint = checkpoints.of_run(other.checkpoint(origin.step))
    checkpoint.verify()
    return checkpoint


def _state(other: RunFolder, run: str, step: int) -> Path:
    saved = state.file(other.state, step)
    if not saved.exists():
        kept = ", ".join(map(str, state.steps(other.state))) or "none"
        raise EmbryologyError(
            f"starts_from: {run} keeps no state of step {step} (it has: {kept}); train it with speed: {{keep_states: "
            f"[{step}]}}"
        )
    if not state.is_whole(saved):
        raise EmbryologyError(f"starts_from: {saved} is damaged; restore it, or train {run} again")
    return saved


def _differences(one: Outcome, other: Outcome, step: int) -> Iterator[str]:
    """What is not the same in two outcomes up to ``step``, as words."""
    values, others = one.model_dump(), other.model_dump()
    yield from (key for key in values if key not in MAY_DIFFER and values[key] != others[key])
    for key in values["optimizer"]:
        if key not in ("learning_rate", "warmup_steps") and values["optimizer"][key] != others["optimizer"][key]:
            yield f"optimizer.{key}"
    if one.longest != other.longest:
        yield f"longest sequence, {one.longest} and {other.longest} pieces, for which the model has positions"
    if one.order and one.sequences != other.sequences:
        yield f"number of sequences, {one.sequences} and {other.sequences}, all of which are put in order"
    if one.typing != other.typing:
        yield "typing, whose head has weights of its own"
    if lacking := [each for each in other.checkpoints if each <= step and each not in one.checkpoints]:
        yield f"grid of checkpoints, without {', '.join(map(str, lacking))}"
    until = one.sequences_until(step)
    replaced = [{at: chunk for at, chunk in each.replaced.items() if at < until} for each in (one, other)]
    if replaced[0] != replaced[1]:
        yield "replaced sequences"
    courses = [[stage for stage in outcome.course if stage.first < step] for outcome in (one, other)]
    for index in range(step):
        ours, theirs = (next(stage for stage in course if index < stage.after) for course in courses)
        if ours.reads != theirs.reads:
            yield f"text, objective, batch_size or sequence_length at step {index + 1}"
            return
        rates = stage_rate(ours, index), stage_rate(theirs, index)
        if rates[0] != rates[1]:
            yield f"rate at step {index + 1}, {rates[0]:.4g} and {rates[1]:.4g}"
            return


def begin(origin: Origin, folder: RunFolder, outcome: Outcome) -> None:
    """Bring what the other run had at that step into ``folder``, the state last, as nothing counts without it.

    Raises:
        EmbryologyError: something is missing or changed there.
    """
    other, run = RunFolder.named(origin.run), f"starts_from: {origin.run}"
    # What phases after the branch read beside it may be other texts, as they read otherwise anyway.
    ours, theirs = (read_json(each.corpus) | {OTHERS: None} for each in (folder, other))
    if ours != theirs:
        raise EmbryologyError(f"{run} was trained on another text, or its text has changed since; restore it")
    for step in outcome.checkpoints:
        if step <= origin.step:
            if folder.checkpoint(step).exists():
                removed_whole(folder.checkpoint(step))
            with written_whole(folder.checkpoint(step)) as temporary:
                shutil.copytree(other.checkpoint(step), temporary)
            checkpoints.of_run(folder.checkpoint(step)).verify()
    if (answers := other.root / order.FILE).exists():
        with written_whole(folder.root / order.FILE) as temporary:
            shutil.copyfile(answers, temporary)
    logged = losses.read(other)
    logged = logged[logged["step"] <= origin.step]
    steps = logged["step"].clip(lower=1)
    phases = [next(stage.number for stage in outcome.course if step <= stage.after) for step in steps]
    losses.write(folder, logged.assign(phase=phases).to_dict("records"))
    with written_whole(state.file(folder.state, origin.step)) as temporary:
        shutil.copyfile(_state(other, origin.run, origin.step), temporary)
        if sha256_of_file(temporary) != origin.state_sha256:
            raise EmbryologyError(f"{run} has changed while this run began; give the same command again")
