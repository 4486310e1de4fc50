"""``embryology study``: read arguments, call one function, print."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from embryology.study.plan import Plan

app = typer.Typer(help="Seeds × presets × checkpoints × probes, planned once, run here or on a cluster.")
console = Console()
FileArgument = Annotated[Path, typer.Argument(help="The study's file, such as study.yaml.")]


@app.command("plan")
def plan(
    file: FileArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print the jobs to do as JSON, for Snakemake.")] = False,
    missing: Annotated[
        bool, typer.Option("--missing", help="Print every cell that is not measured, a line each.")
    ] = False,
) -> None:
    """Print the cells of a study, which are done, the jobs to do, and what they take in hours and disk."""
    import json

    from embryology.study import description, estimate, plan

    made = plan.make(description.load(file))
    if as_json:
        plan.refuse_impossible(made, estimate.estimate(made).gigabytes)
        print(json.dumps(plan.as_json(made), indent=1))
        return
    if missing:
        for cell in made.cells:
            if cell.state != plan.MEASURED:
                print(f"{cell.run}\t{cell.probe}\t{cell.step}\t{cell.state}")
        return
    console.print(_table(made))
    for line in _lines(made):
        console.print(line, highlight=False, soft_wrap=True)


@app.command()
def run(
    file: FileArgument,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="How many at a time.")] = 1,
    until: Annotated[
        Literal["corpus", "pretrain", "measure", "freeze", "book"], typer.Option(help="The last kind of jobs to do.")
    ] = "book",
) -> None:
    """Do on this machine all that a study has left to do, up to its book; `workflow/` does it on a cluster."""
    from embryology.study import description, running

    described = description.load(file)
    running.run(described, console, jobs, until)
    if until == description.BOOK:
        console.print(f"open {described.folder / 'book' / 'index.html'}", highlight=False, soft_wrap=True)


@app.command()
def job(file: FileArgument, name: Annotated[str, typer.Argument(help="As `embryology study plan` names it.")]) -> None:
    """Do one job of a study, as `run` and Snakemake do."""
    from embryology.study import description, jobs

    jobs.run(description.load(file), name, console)


def _table(made: "Plan") -> Table:
    from embryology.study import plan

    table = Table("run", "probe", "measured", "missing", "changed", title=made.described.study.name)
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for cell in made.cells:
        of = counts.setdefault((cell.run, cell.probe), dict.fromkeys((plan.MEASURED, plan.MISSING, plan.CHANGED), 0))
        of[cell.state] += 1
    for (name, probe), by_state in counts.items():
        table.add_row(name, probe, *(str(number or "") for number in by_state.values()))
    return table


def _lines(made: "Plan") -> list[str]:
    from embryology.study import plan
    from embryology.study.estimate import estimate

    changed = [cell for cell in made.cells if cell.state == plan.CHANGED]
    lines = [f"{cell.run}, probe {cell.probe}, step {cell.step}: {plan.CHANGED}" for cell in changed]
    lines += [f"to do: {job.name}" for job in made.todo]
    done = sum(cell.state == plan.MEASURED for cell in made.cells)
    left = estimate(made)
    lines.append(f"{done:,} of {len(made.cells):,} cells measured, {len(made.todo)} of {len(made.jobs)} jobs to do")
    if made.todo:
        lines.append(f"about {left.hours:.2g} hours of jobs one after the other ({left.basis})")
        lines.append(f"about {left.gigabytes:,.2g} GB and {left.files:,} files to be written")
    return lines
