"""Every chosen checkpoint × every chosen probe, measured once."""

import json
from collections.abc import Collection
from pathlib import Path

from rich.console import Console

from embryology import presets
from embryology.errors import EmbryologyError
from embryology.probes import processes
from embryology.probes.measuring import Asked, Measuring, News
from embryology.progress import Progress
from embryology.runs import measurements, plugins
from embryology.runs.checkpoints import TOKENIZER_FILES, Checkpoint
from embryology.runs.measurements import Configuration
from embryology.runs.misfit import misfit
from embryology.runs.series import Series, thinned
from embryology.specs import ProbeSettings, registry
from embryology.storage.files import sha256_of, sha256_of_file


def chosen_settings(
    series: Series, names: list[str] | None = None, preset: str | None = None
) -> dict[str, ProbeSettings]:
    """Settings by probe, as the run's preset gave them when it was trained.

    Args:
        series: settings are the defaults where it was not trained here.
        names: of the probes; None takes those of the preset, and all but the expensive ones where it has none.
        preset: whose settings are taken instead, by name or path.

    Raises:
        EmbryologyError: a probe or setting is unknown.
    """
    recorded = series.manifest.probes if series.manifest else {}
    return registry.asked_for(names, presets.load(preset).probes if preset else recorded)


def run_probes(
    series: Series,
    probes: dict[str, ProbeSettings],
    steps: str = "all",
    console: Console | None = None,
    device: str = "auto",
    threads: int | None = None,
    keep: bool = False,
    only: Collection[int] | None = None,
    jobs: int = 1,
) -> int:
    """Measure checkpoints; what was measured before is skipped. Interrupted, it resumes where it was.

    A measurement is known by the hash of the weights, the tokenizer, the data, the settings, and the
    probe's name and version. What was asked for last counts for readers. Nothing heavy is loaded where all is there.

    Args:
        series: whose checkpoints.
        probes: settings by the name of the probe, as of :func:`chosen_settings`.
        steps: which checkpoints, as in :meth:`Series.select`.
        console: where progress is shown; None shows none.
        device: a torch device name, or ``auto``.
        threads: of the processor, for each of the ``jobs``; None leaves torch's own number to one of them, and shares
            the processor's cores between several.
        keep: whether checkpoints that are fetched stay on this machine when they are measured.
        only: of the checkpoints so chosen those at these steps, a part that one of several jobs measures.
        jobs: how many checkpoints are measured at a time, each in a process of its own.

    Returns:
        How many measurements were taken.

    Raises:
        EmbryologyError: a step is unknown, data are missing, the checkpoints have different tokenizers or two of them
            the same weights, or the run is frozen; or, after all others were measured, the list of checkpoints that
            could not be.
    """
    console = console or Console(quiet=True)
    if series.is_frozen:
        raise EmbryologyError(
            f"{series.name} is frozen: its measurements are kept and its checkpoints are not, so that nothing more can "
            f"be measured; {series.folder.manifest} has the command that trains it again"
        )
    chosen = series.select(steps)
    series.refuse_repeated(chosen)
    tokenizer, tokenizer_sha256 = _tokenizer(series)
    asked = [_asked(series, name, settings, tokenizer_sha256) for name, settings in probes.items()]
    done: list[tuple[Checkpoint, Asked]] = []
    todo: dict[Checkpoint, list[Asked]] = {}
    for checkpoint in chosen if only is None else [each for each in chosen if each.step in only]:
        for each in asked:
            if steps != "all" or checkpoint in thinned(series.checkpoints, each.settings.every):
                rows, _ = each.configuration.files(series.folder, checkpoint)
                if rows.exists():
                    done.append((checkpoint, each))
                else:
                    todo.setdefault(checkpoint, []).append(each)
    cells = sum(map(len, todo.values()))
    plugins.keep(series.folder)
    for each in asked:
        if any(other is each for _, other in done):
            measurements.let_stand(series.folder, each.configuration)
    failed = _changed({checkpoint for checkpoint, _ in done})
    if done:
        console.print(
            f"{series.name}: {len(done)} of {len(done) + cells} measured before (same weights, tokenizer, data, "
            "settings), skipped",
            highlight=False,
            soft_wrap=True,
        )
    for each in asked:
        if wrong := misfit(series, each.configuration):
            console.print(f"{series.name}: {wrong}", highlight=False, soft_wrap=True)
    if todo:
        measuring = Measuring(series, tokenizer, device, threads, keep)
        failed += _measured(measuring, todo, console, min(jobs, len(todo)))
    if failed:
        raise EmbryologyError(f"{series.name}: could not be measured: {'; '.join(failed)}")
    return cells


def _measured(measuring: Measuring, todo: dict[Checkpoint, list[Asked]], console: Console, jobs: int) -> list[str]:
    """Measure all that is to do, and show how far it is; what is wrong with checkpoints that could not be measured."""
    name, cells = measuring.series.name, sum(map(len, todo.values()))
    failed: dict[str, list[tuple[int, int]]] = {}
    noted: set[str] = set()
    with Progress(console, "{task.completed} of {task.total} measurements") as progress:
        bar = progress.add_task(name, total=cells)

        def tell(news: News) -> None:
            if news.note and news.note not in noted:
                console.print(f"{name}: {news.note}", highlight=False, soft_wrap=True)
                noted.add(news.note)
            if news.failed:
                failed.setdefault(news.failed, []).append((news.step, news.over))
            doing = {"description": f"{name} step {news.step} {news.probe}"} if news.probe else {}
            progress.update(bar, advance=news.over, **doing)

        if jobs > 1:
            processes.measure(measuring, todo, tell, jobs)
        else:
            for checkpoint, probes in todo.items():
                measuring.checkpoint(checkpoint, probes, tell)
    lacking = sum(over for steps in failed.values() for _, over in steps)
    console.print(f"{name}: {cells - lacking} of {cells} measured", highlight=False, soft_wrap=True)
    return [f"step {', '.join(str(step) for step, _ in sorted(steps))}: {reason}" for reason, steps in failed.items()]


def configured(series: Series, probes: dict[str, ProbeSettings]) -> list[Asked]:
    """The probes of :func:`run_probes` and their configurations; nothing is measured.

    Raises:
        EmbryologyError: data are missing, or the checkpoints have different tokenizers.
    """
    _, tokenizer_sha256 = _tokenizer(series)
    return [_asked(series, name, settings, tokenizer_sha256) for name, settings in probes.items()]


def _asked(series: Series, name: str, settings: ProbeSettings, tokenizer_sha256: str) -> Asked:
    probe = registry.get(name).load()
    configuration = Configuration(
        probe=name,
        version=registry.version(name),
        settings=settings.model_dump(mode="json", exclude={"every"}),
        data=json.loads(json.dumps(probe.inputs(settings, series))),
        tokenizer=tokenizer_sha256,
    )
    return Asked(probe, settings, configuration)


def _changed(checkpoints: set[Checkpoint]) -> list[str]:
    """What is wrong with checkpoints that were measured: their measurements are of other bytes than those there now."""
    wrong = []
    for checkpoint in sorted(checkpoints, key=lambda checkpoint: checkpoint.step):
        try:
            checkpoint.verify()
        except EmbryologyError as error:
            wrong.append(f"step {checkpoint.step}: {error}")
    return wrong


def _tokenizer(series: Series) -> tuple[Path, str]:
    """The folder of the series' tokenizer, that of a checkpoint or of the run, and the hash of its files."""
    by_sha256: dict[str, tuple[str, Path]] = {}
    for checkpoint in series.checkpoints:
        for folder in (checkpoint.location, series.folder.tokenizer):
            hashes = {name: sha256_of_file(folder / name) for name in TOKENIZER_FILES if (folder / name).is_file()}
            if hashes:
                name = checkpoint.name if folder == checkpoint.location else str(folder)
                by_sha256.setdefault(sha256_of(hashes), (name, folder))
                break
        else:
            raise EmbryologyError(
                f"neither {checkpoint.location} nor {series.folder.tokenizer} holds a tokenizer; say where it is with "
                "--tokenizer"
            )
    if len(by_sha256) > 1:
        (one, _), (other, _), *_ = by_sha256.values()
        raise EmbryologyError(
            f"{one} and {other} have different tokenizers, so no curve can join what is measured of them; give all "
            "checkpoints the same tokenizer files"
        )
    ((tokenizer_sha256, (_, folder)),) = by_sha256.items()
    return folder, tokenizer_sha256
