"""The Jupyter kernel that notebooks are executed with: the interpreter that runs this."""

import os
from pathlib import Path
from typing import Any, ClassVar
from weakref import WeakSet

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

from embryology.report import forks
from embryology.runs.reads import PLACE
from embryology.specs import registry


class OwnKernel(AsyncKernelManager):
    """Starts ``sys.executable``, whatever kernels named ``python3`` are installed on the machine."""

    made: ClassVar[WeakSet["OwnKernel"]] = WeakSet()
    reads: ClassVar[Path | None] = None
    """Where it notes whose measurements it reads."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.made.add(self)

    def _kernel_spec_manager_default(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[], parent=self)

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        # Its own log would go to the terminal: the transport it uses, the interrupt before it is shut down. A folder
        # called embryology where somebody happens to be is not this package.
        own = ["--log-level=CRITICAL", "--InteractiveShellApp.ignore_cwd=True"]
        for plugin in registry.added.values():
            add = f"__import__('embryology.specs.registry', fromlist=['add']).add({str(plugin.file)!r})"
            own.append(f"--InteractiveShellApp.exec_lines={add}")
        return super().format_kernel_cmd([*(extra_arguments or []), *own])

    async def _async_pre_start_kernel(self, **options: Any) -> tuple[list[str], dict[str, Any]]:
        # As many kernels as cores: more threads would wait for each other, and sum in another order.
        notes = {PLACE: str(self.reads)} if self.reads else {}
        options["env"] = {**(options.get("env") or os.environ), "OMP_NUM_THREADS": "1", **notes}
        return await super()._async_pre_start_kernel(**options)

    async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
        if not forks.possible():
            return await super()._async_launch_kernel(kernel_cmd, **options)
        provisioner: Any = self.provisioner  # the one for kernels of this machine
        _, _, module, *arguments = kernel_cmd  # python -m ipykernel_launcher …
        process = forks.SERVER.start(module, arguments, options["env"], options.get("cwd") or os.getcwd())
        provisioner.process, provisioner.pid, provisioner.pgid = process, process.pid, process.pid
        self._reconcile_connection_info(provisioner.connection_info)

    @classmethod
    def noting(cls, place: Path) -> type["OwnKernel"]:
        """Kernels that note in a file whose measurements they read."""
        return type(cls.__name__, (cls,), {"reads": place})

    @classmethod
    def kill_all(cls) -> None:
        """Those that have started, at once and from any thread; what waits for them fails."""
        for kernel in list(cls.made):
            if kernel.provisioner is not None and (process := getattr(kernel.provisioner, "process", None)):
                process.kill()
