"""What a terminal shows."""

import io

from rich.console import Console

from embryology.report.summary import summary


def shown(series):
    """The lines of ``embryology show``."""
    console = Console(width=140, file=io.StringIO())
    for table in summary(series):
        console.print(table)
    return console.file.getvalue()
