"""Run the cells of notebooks as a kernel does, without its start, which takes longer than most pages."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import matplotlib.pyplot as plt
import papermill
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbformat.v4 import new_output
from papermill.engines import Engine, papermill_engines

EXAMPLE = "example"
"""Tag of a cell that is there to be read and typed elsewhere."""


@contextmanager
def one_shell() -> Iterator[InteractiveShell]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("displayhook", "excepthook"):
            patch.setattr(sys, name, getattr(sys, name))
        patch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # it puts its own there
        yield InteractiveShell.instance(colors="nocolor", history_load_length=0)
        InteractiveShell.clear_instance()


def run(shell, cell):
    """The values that a cell displays, each with its metadata, its own value last; it prints nothing."""
    with capture_output() as captured:
        result = shell.run_cell(cell.source, store_history=False)
    result.raise_error()
    shown = r"Out\[\d+\]: .*\n" if EXAMPLE not in cell.metadata.get("tags", []) else r"(?s)Out\[\d+\]: .*"
    assert re.sub(shown, "", captured.stdout) + captured.stderr == ""
    assert plt.get_fignums() == []  # in a kernel it would be a second output
    displayed = [(output.data, output.metadata) for output in captured.outputs]
    if result.result is not None:
        displayed.append(shell.display_formatter.format(result.result))
    return displayed


class WithoutKernel(Engine):
    """Of papermill, which does all else as for a kernel."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **_):
        with one_shell() as shell:
            for cell in nb_man.nb.cells:
                if cell.cell_type == "code":
                    displayed = run(shell, cell)
                    cell.outputs = [
                        new_output("display_data", data=data, metadata=metadata) for data, metadata in displayed
                    ]


def without_kernels(patch: pytest.MonkeyPatch) -> None:
    """Let papermill execute notebooks in this process, one at a time."""
    engines = {**papermill_engines._engines, "here": WithoutKernel}
    patch.setattr(papermill_engines, "_engines", engines)
    patch.setattr(papermill, "execute_notebook", partial(papermill.execute_notebook, engine_name="here"))
