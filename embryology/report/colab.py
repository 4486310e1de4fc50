"""What a notebook on Google Colab needs beside its repository; there the notebook's first cell runs this file.

Colab's kernel has torch, IPython and much else in versions of its own, which stay as they are. Notebooks draw from
tables, for which few packages are enough.
"""

import importlib
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

DRAWING = (
    *("PyYAML", "duckdb", "filelock", "huggingface_hub", "itables", "matplotlib", "numpy", "pandas", "patsy"),
    *("pyarrow", "pydantic", "rich", "scipy", "seaborn", "statsmodels", "transformers"),
)
"""The packages that notebooks import, by themselves or through this package."""


def wanted(project: Path) -> list[str]:
    """The requirements of :data:`DRAWING` with the ranges that the project gives them."""
    asked = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    return [each for each in asked if re.split("[<>=]", each)[0] in DRAWING]


def install(project: Path) -> None:
    """Install what notebooks need into the kernel that runs this, and the package for its list of probes.

    Raises:
        SystemExit: the kernel had imported another version of a package, and has to be started again.
    """
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *wanted(project)], check=True)
    subprocess.run([*pip, "--no-deps", str(project)], check=True)
    importlib.invalidate_caches()
    imported = {name: getattr(sys.modules.get(name), "__version__", None) for name in DRAWING}
    if old := sorted(name for name, version in imported.items() if version not in (None, metadata.version(name))):
        raise SystemExit(f"{', '.join(old)} came in another version: Runtime > Restart session, then Run all, once")


if __name__ == "__main__":
    install(Path.cwd())
