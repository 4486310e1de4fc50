"""Commands: read arguments, call one function, print. No logic.

Everything heavy is imported inside a command, so that a command with nothing to do takes no time.
"""

import sys
from typing import Annotated

import typer
from rich.console import Console

from embryology.errors import EmbryologyError
from embryology.paths import RunFolder

app = typer.Typer(
    help="Watch a language model being born: pretrain it, probe every checkpoint, draw what it learns.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="What data there is, and what stands in for what is not there.", no_args_is_help=True)
app.add_typer(data_app, name="data")
console = Console()

RunArgument = Annotated[str, typer.Argument(help="A run: its name under the runs folder, or a path.")]


@app.command()
def pretrain(
    preset: Annotated[str, typer.Argument(help="A preset by name (tiny, smoke, …), or a .yaml file.")],
    seed: Annotated[int | None, typer.Option(help="Instead of the preset's seed.")] = None,
    run: Annotated[
        str | None, typer.Option(help="Name or path of the run folder; the preset's name if left out.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an unfinished run.")] = False,
) -> None:
    """Pretrain a model from random parameters, saving checkpoints."""
    from embryology import presets

    chosen = presets.load(preset)
    if seed is not None:
        chosen = chosen.with_seed(seed)
    folder = RunFolder.named(run or (chosen.name if seed is None else f"{chosen.name}-seed{seed}"))
    from embryology.pretraining.manifest import is_complete

    if is_complete(folder, chosen):  # said before torch is imported
        console.print(f"{folder.name}: trained to step {chosen.outcome.steps} before, skipped", highlight=False)
        return
    from embryology.pretraining.loop import pretrain as train

    train(chosen, folder, resume=resume, console=console)


def main() -> None:
    """The ``embryology`` command: what a person can mend is one line on standard error and exit status 1."""
    try:
        app()
    except EmbryologyError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
