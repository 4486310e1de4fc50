"""The Jupyter kernel that notebooks are executed with: the interpreter that runs this."""

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager


class OwnKernel(AsyncKernelManager):
    """Starts ``sys.executable``, whatever kernels named ``python3`` are installed on the machine."""

    def _kernel_spec_manager_default(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[], parent=self)

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        # Its own log would go to the terminal: the transport it uses, the interrupt before it is shut down. A folder
        # called embryology where somebody happens to be is not this package.
        own = ["--log-level=CRITICAL", "--InteractiveShellApp.ignore_cwd=True"]
        return super().format_kernel_cmd([*(extra_arguments or []), *own])
