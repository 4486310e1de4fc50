"""Commands: read arguments, call one function, print. No logic; what is heavy is imported where it is called."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from embryology import __version__
from embryology.errors import EmbryologyError
from embryology.runs import names
from embryology.runs.paths import RunFolder
from embryology.study import commands as study

app = typer.Typer(
    help="Watch a language model being born: pretrain it, probe every checkpoint, draw what it learns.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="What data there is, and what stands in for what is not there.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(study.app, name="study", no_args_is_help=True)
console = Console()


def _completes(known: Callable[[], list[str]]) -> Callable[[str], list[str]]:
    return lambda incomplete: names.completed(known, incomplete)


RunArgument = Annotated[
    str,
    typer.Argument(
        help="A run: its name under the runs folder, or a path; or the path of a folder of checkpoints.",
        autocompletion=_completes(names.runs),
    ),
]
RunsArgument = Annotated[
    list[str],
    typer.Argument(
        help="Runs, by name or path, or folders of checkpoints; a part of the book, or of the tables, each.",
        autocompletion=_completes(names.runs),
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON, and nothing else.")]


def _version(asked: bool) -> None:
    if asked:
        print(f"embryology {__version__}")
        raise typer.Exit


@app.callback()
def every_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _add(files: list[Path] | None) -> None:
    from embryology.specs import registry

    for file in files or ():
        registry.add(file)


PlugInOption = Annotated[
    list[Path] | None,
    typer.Option(
        callback=_add, help="A file with a probe, or data, of your own, which the run remembers; may be given again."
    ),
]


@app.command()
def pretrain(
    preset: Annotated[
        str,
        typer.Argument(
            help="A preset by name (tiny, smoke, …), or a .yaml file.", autocompletion=_completes(names.presets)
        ),
    ],
    seed: Annotated[int | None, typer.Option(help="Instead of the preset's seed.")] = None,
    run: Annotated[
        str | None, typer.Option(help="Name or path of the run folder; the preset's name if left out.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume an unfinished run.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Train nothing; say what it would cost in memory, FLOPs and days.")
    ] = False,
    track: Annotated[
        str | None, typer.Option(help="Send losses to a tracker too: tensorboard, wandb or another of accelerate's.")
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes of this machine that train together, such as one a GPU.")
    ] = 1,
    plugin: PlugInOption = None,
) -> None:
    """Pretrain a model from random parameters, saving checkpoints."""
    from embryology import presets

    chosen = presets.load(preset)
    if seed is not None:
        chosen = chosen.with_seed(seed)
    if dry_run:
        from embryology.pretraining.cost import table

        console.print(table(chosen))
        return
    folder = RunFolder.named(run or (chosen.name if seed is None else f"{chosen.name}-seed{seed}"))
    from embryology.runs.manifest import is_complete

    if is_complete(folder, chosen):  # said before torch is imported
        console.print(f"{folder.name}: trained to step {chosen.outcome.steps} before, skipped", highlight=False)
        return
    if processes > 1 and "LOCAL_RANK" not in os.environ:
        from embryology.pretraining.devices import launch

        launch(processes, sys.argv[1:])
        return
    from embryology.pretraining.loop import pretrain as train

    train(chosen, folder, resume=resume, console=console, track=track)


@app.command()
def probe(
    run: RunArgument,
    probe: Annotated[
        list[str] | None,
        typer.Option(help="Only this probe; may be given again.", autocompletion=_completes(names.probes)),
    ] = None,
    steps: Annotated[str, typer.Option(help="all, last, or steps such as 0,100,200.")] = "all",
    preset: Annotated[
        str | None,
        typer.Option(
            help="A preset, by name or path, whose probe settings replace those of the run.",
            autocompletion=_completes(names.presets),
        ),
    ] = None,
    step_pattern: Annotated[
        str | None,
        typer.Option(help="A regular expression with a group (?P<step>…) that finds the step in a checkpoint's name."),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(help="Where checkpoints have none: the tokenizer's folder, or hub:OWNER/REPOSITORY."),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave what is fetched from the Hub in its cache, for use without a network.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Checkpoints at a time, each in a process of its own.")] = 1,
    plugin: PlugInOption = None,
) -> None:
    """Measure the checkpoints of a run, of any folder of save_pretrained folders, or of a series on the Hub."""
    from embryology.probes import properties
    from embryology.probes.runner import chosen_settings, run_probes
    from embryology.runs.series import Series

    failed = []
    for series in Series.open_all(run, step_pattern=step_pattern, tokenizer=tokenizer):
        try:
            run_probes(series, chosen_settings(series, probe, preset), steps, console, keep=keep, jobs=jobs)
            properties.count(series, console, prepare=False)
        except EmbryologyError as error:  # one seed's failure is no other's
            failed.append(str(error))
    if failed:
        raise EmbryologyError("; ".join(failed))


@app.command()
def counterfactual(
    run: RunArgument,
    without: Annotated[
        list[str],
        typer.Option(help="What is not read: WORDS, or fact:SUBJECT=OBJECT; may be given again, each by itself."),
    ],
    start: Annotated[int, typer.Option("--from", help="The checkpoint from which training is replayed.")],
    until: Annotated[int | None, typer.Option(help="The checkpoint at which it ends; the last if left out.")] = None,
    probe: Annotated[
        list[str] | None,
        typer.Option(help="Only the items of this probe (tokens, knowledge, grammar); may be given again."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the replayed runs, with their checkpoints.")] = False,
    plugin: PlugInOption = None,
) -> None:
    """Replay training without one thing, and measure what that changes; and without as much else, for the noise."""
    from embryology.probes.counterfactual import counterfactual as replay
    from embryology.report import summary
    from embryology.runs.series import Series

    series = Series.open(run)
    for file in replay(series, without, start, console, until, probe, keep):
        console.print(str(file), highlight=False, soft_wrap=True)
    console.print(summary.counterfactuals(series, start))


@app.command()
def count(run: RunArgument, plugin: PlugInOption = None) -> None:
    """Count in the training text what no checkpoint changes, such as how frequent each word is; of frozen runs too."""
    from embryology.probes.properties import count as count_all
    from embryology.runs.series import Series

    count_all(Series.open(run), console)


@app.command()
def freeze(
    run: RunArgument,
    to: Annotated[str | None, typer.Option(help="The folder to write; results/<name>-seed<seed> if left out.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of a run that was frozen there.")] = False,
    without: Annotated[
        list[str] | None,
        typer.Option(help="A probe whose measurements are left out, or probe:step,step; may be given again."),
    ] = None,
    weights: Annotated[
        Literal["8bit"] | None,
        typer.Option(help="Keep the weights too, in so many bits, for the page Ask it."),
    ] = None,
    plugin: PlugInOption = None,
) -> None:
    """Keep the measurements of a finished run in a small folder that stands in for it, without its checkpoints."""
    from embryology.runs.freeze import freeze as write
    from embryology.runs.series import Series

    folder = write(Series.open(run), to, replace, without or [], weights)
    size, packed = (
        sum(file.stat().st_size for file in folder.rglob(each) if file.is_file()) / 1e6 for each in ("*", "weights/*")
    )
    of_weights = f", {packed:.2f} MB of it weights" if packed else ""
    console.print(f"{folder}: {size:.2f} MB{of_weights}", highlight=False, soft_wrap=True)


@app.command()
def report(
    runs: RunsArgument,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="name=value for every notebook; may be given again.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, show_default="cores", help="Notebooks executed at a time, half a GB each."),
    ] = None,
    to: Annotated[str | None, typer.Option(help="A folder to put the built book in, whole or not at all.")] = None,
    plugin: PlugInOption = None,
) -> None:
    """Execute the notebooks on measured runs and build the book."""
    from embryology.report.build import report as build

    build(runs, parameter or [], console, jobs=jobs, to=to)


@app.command()
def atlas(
    run: RunArgument,
    steps: Annotated[str, typer.Option(help="all, last, or steps such as 0,100,200.")] = "all",
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="Pages made at a time, half a GB each.")] = 2,
    plugin: PlugInOption = None,
) -> None:
    """Make a page of every checkpoint of a measured run; `report` puts them in its book."""
    from embryology.report.atlas import atlas as make

    make(run, steps, console, jobs=jobs)


@app.command()
def export(
    runs: RunsArgument,
    to: Annotated[str, typer.Option(help="The file to write: .parquet, .csv or .duckdb.")],
    items: Annotated[bool, typer.Option("--items", help="Write the items behind the measurements too.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of an export that is there.")] = False,
    plugin: PlugInOption = None,
) -> None:
    """Write the measurements that count as tables for other programs, with a dictionary of what is in them."""
    from embryology.runs.export import export as write
    from embryology.runs.series import Series

    for line in write(Series.open_all(runs), to, items, replace):
        console.print(line, highlight=False, soft_wrap=True)


@app.command()
def show(run: RunArgument, as_json: JsonOption = False, plugin: PlugInOption = None) -> None:
    """Print how a run went: held-out values, what was measured, and the order in which words were learnt."""
    from embryology.report import summary
    from embryology.runs.series import Series

    if as_json:
        _print_json(summary.as_json(Series.open(run)))
        return
    for table in summary.summary(Series.open(run)):
        console.print(table)


@app.command("list")
def list_all(as_json: JsonOption = False) -> None:
    """Print the runs that there are and what measured them, the presets, and the probes with their needs and costs."""
    from embryology.report import listing

    listed = listing.listing()
    if as_json:
        _print_json(listed)
        return
    for table in listing.tables(listed):
        console.print(table)


@app.command()
def verify(run: RunArgument) -> None:
    """Hold a run, or any folder of checkpoints, against its own records: hashes, gaps, half-written files."""
    from embryology.runs.verify import verify as check

    check(RunFolder.named(run), console)


@app.command()
def audit(
    series: Annotated[
        list[str],
        typer.Argument(help="Runs, folders of checkpoints, or series on the Hub; several are to be seeds of one."),
    ],
    whole: Annotated[bool, typer.Option("--whole", help="Read all weights from end to end, too.")] = False,
) -> None:
    """Are series of checkpoints what they say: order, repeats, gaps, foreign weights, tokenizers, dtypes, seeds."""
    from embryology.runs.audit.result import audit as examine

    examine(series, whole, console)


@data_app.command("list")
def data_list(plugin: PlugInOption = None) -> None:
    """Print the optional data sets: what they serve, whether they are there, what is used instead."""
    from embryology.data import table

    console.print(table())


@data_app.command("get")
def data_get(name: Annotated[str, typer.Argument(help="A data set, as `embryology data list` names it.")]) -> None:
    """Fetch a data set into EMBRYOLOGY_DATA."""
    from embryology.data import get

    written = get(name)
    console.print("\n".join(map(str, written)) or f"{name}: all of it is there, nothing to fetch", highlight=False)


@data_app.command("check")
def data_check(
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Count malformed sentences and skip them.")] = False,
    plugin: PlugInOption = None,
) -> None:
    """Read every set with annotation that is there, print its counts, and hold them against those that are known."""
    from embryology.facts import fact_sets
    from embryology.grammar import pair_sets
    from embryology.tasks import catalogue
    from embryology.treebanks import counts

    for part in (counts, fact_sets, pair_sets, catalogue):
        part.check(console, skip_bad)


@data_app.command("where")
def data_where() -> None:
    """Print the folders that are read and written."""
    from embryology.data import places

    for what, place in places():
        console.print(f"{what}: {place}", highlight=False, soft_wrap=True)


def main() -> None:
    """The ``embryology`` command: what a person can fix is one line on standard error and exit status 1."""
    try:
        app()
    except (EmbryologyError, OSError) as error:
        said = error if isinstance(error, EmbryologyError) else _refused(error)
        if said is None:
            raise
        if os.environ.get("LOCAL_RANK", "0") == "0":  # of processes that train together one speaks
            print(f"error: {said}", file=sys.stderr)
        sys.exit(1)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def _refused(error: OSError) -> str | None:
    """What the system said of a folder or lock that could not be made, or of a file that could not be read."""
    from embryology.storage.files import refusal

    reason = refusal(error)
    return reason and f"cannot use {error.filename or 'the output'}: {reason}"
