"""What holds between files: who may import whom, how long a file may be, and pins that have to agree."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import embryology
from embryology.cli import app
from embryology.report.pages import pages
from embryology.runs.paths import ROOT
from embryology.specs import registry

PACKAGE = ROOT / "embryology"
ORDER = (
    *("errors", "intervals", "progress", "storage", "specs", "presets", "runs", "models", "corpus"),
    *(
        "treebanks",
        "facts",
        "grammar",
        "tasks",
        "pretraining",
        "probes",
        "analysis",
        "figures",
        "ask",
        "report",
        "study",
        "data",
        "cli",
        "__main__",
    ),
)
"""The rooms of the package, each importing from those before it alone."""
PROBE_FRAME = ("__init__", "measuring", "processes", "runner")
SPECS_MAY_IMPORT = {"errors", "storage", "specs"}
ANALYSIS_MAY_IMPORT = {"errors", "intervals", "storage", "specs", "runs", "analysis"}
NOTEBOOKS_MAY_IMPORT = ("runs", "analysis", "figures")
MODELS = ("torch", "transformers")
LONGEST_FILE = 400

MODULES = sorted(file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py")
TESTS = sorted((ROOT / "tests").rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


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


def loaded_by(code: str) -> list[str]:
    """The names of all modules that a fresh interpreter has loaded after ``code``."""
    program = f"import sys\n{code}\nprint(*sys.modules)"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return finished.stdout.split()


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
    assert stations(source) <= ANALYSIS_MAY_IMPORT | ({"figures"} if station(file) == "figures" else set())
    assert not {name.split(".")[0] for name in imports(source)} & set(MODELS)


def test_analysis_and_figures_load_no_model_through_others_either():
    files = [file for file in MODULES if station(file) in ("analysis", "figures")]
    modules = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    assert not set(MODELS) & set(loaded_by("\n".join(f"import {module}" for module in modules)))


@pytest.mark.parametrize("file", [file for file in MODULES if station(file) == "specs"], ids=name_of)
def test_specifications_know_nothing_of_what_they_specify(file):
    source = file.read_text()
    assert stations(source) <= SPECS_MAY_IMPORT
    assert not {name.split(".")[0] for name in imports(source)} & {*MODELS, "pandas"}


def test_all_specifications_are_loaded_without_torch_and_tables():
    loaded = loaded_by("from embryology.specs import registry\nassert registry.specifications()")
    assert "embryology.specs.registry" in loaded
    assert not {*MODELS, "pandas"} & set(loaded)


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


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name_of)
def test_a_page_needs_the_probes_that_claim_it(notebook):
    probes = registry.specifications()
    needs = json.loads(notebook.read_text())["metadata"]["embryology"]["needs"]
    claimed_by = {name for name, specification in probes.items() if notebook.stem in specification.pages}
    assert claimed_by <= {need.partition(":")[0] for need in needs}


def test_all_pages_of_specifications_are_there():
    pages = {page for probe in registry.specifications().values() for page in probe.pages if isinstance(page, str)}
    assert pages
    assert pages <= {notebook.stem for notebook in NOTEBOOKS}


def covered(file: Path) -> tuple[str, ...]:
    """What a test file lists in ``COVERS``: modules that it tests though another one gave it its name."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["COVERS"]:
            return ast.literal_eval(node.value)
    return ()


def test_every_module_has_a_test_file_of_its_name_or_is_covered_by_another():
    modules = {name_of(file) for file in MODULES if file.name != "__init__.py"}
    has_its_own = {
        name
        for name in modules
        if (ROOT / "tests" / Path(name).relative_to("embryology").with_name(f"test_{Path(name).name}")).is_file()
    }
    listed = {name for file in TESTS for name in covered(file)}
    assert sorted(listed - modules) == []
    assert sorted(modules - has_its_own - listed) == []


@pytest.mark.parametrize("file", [*MODULES, *TESTS], ids=name_of)
def test_no_file_is_too_long_to_be_read(file):
    assert len(file.read_text().splitlines()) <= LONGEST_FILE


def pins(lines: list[str]) -> dict[str, str]:
    """Versions by name; a line that does not pin one is an error."""
    found = {}
    for line in lines:
        requirement = Requirement(line)
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], f"{line} is no pin"
        found[canonicalize_name(requirement.name)] = next(iter(requirement.specifier)).version
    return found


def locked(*names: str) -> dict[str, str]:
    lines = [line.partition(" --hash")[0] for name in names for line in (ROOT / name).read_text().splitlines()]
    return pins([line for line in lines if line and not line.startswith("#")])


def declared() -> dict[str, SpecifierSet]:
    """The range of every package that pyproject.toml asks for."""
    lines = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return {canonicalize_name(each.name): each.specifier for each in map(Requirement, lines)}


def test_every_dependency_has_a_range_that_holds_its_pin():
    lock = locked("requirements.lock", "requirements-data.lock")
    for name, versions in declared().items():
        operators = {specifier.operator for specifier in versions}
        assert operators in ({"=="}, {">=", "<"}), f"{name}{versions} is open at an end"
        assert versions.contains(lock[name]), f"{name}=={lock[name]} of the lock is not in {versions}"


def test_environment_yml_has_the_pins_of_the_locks_and_jupyterlab():
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (pip,) = (entry["pip"] for entry in dependencies if isinstance(entry, dict))
    found = pins([line for line in pip if not line.startswith("-")])
    lock = locked("requirements.lock", "requirements-data.lock")
    assert found.pop("jupyterlab")
    assert found == {name: lock[name] for name in declared()}
    assert "jupyterlab" not in lock


def test_binder_has_the_environment_and_installs_the_project_after_it():
    lines = (ROOT / "environment.yml").read_text().splitlines()
    there = [
        line for line in (ROOT / "binder" / "environment.yml").read_text().splitlines() if not line.startswith("#")
    ]
    assert [line for line in lines if not line.startswith("#")] == [*there, "      - -e ."]
    last = (ROOT / "binder" / "postBuild").read_text().splitlines()[-1]
    assert last.startswith("python -m pip install ")
    assert last.endswith(" -e .")


def test_the_published_book_is_of_the_run_that_notebooks_open_with():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "book.yml").read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert [step["run"] for step in steps if "run" in step] == ["make frozen-book"]
    assert f"FROZEN ?= {pages(ROOT)[0].parameters()['run']}\n" in (ROOT / "Makefile").read_text()
    assert "\nfrozen-book: $(INSTALLED)\n\t$(EMBRYOLOGY) report $(FROZEN)\n" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("file", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=name_of)
def test_every_action_has_its_version(file):
    jobs = yaml.safe_load(file.read_text())["jobs"].values()
    used = [step["uses"] for job in jobs for step in job["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in used)


def test_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == embryology.__version__
    assert citation["references"][0]["doi"] == "10.18653/v1/2020.emnlp-main.553"
    released = f"\n## [{citation['version']}] - {citation['date-released']}\n"
    assert released in (ROOT / "CHANGELOG.md").read_text()


def test_the_landing_page_says_how_to_cite():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    (author,) = (each["name"] for each in citation["authors"])
    last = "".join(json.loads((ROOT / "notebooks" / "index.ipynb").read_text())["cells"][-1]["source"])
    assert f"To cite this: {author} ({citation['date-released'].year}), *{citation['title']}*" in last
    assert "`CITATION.cff </CITATION.cff>`" in last


def test_every_command_and_every_probe_has_its_paragraph():
    said = (ROOT / "book/commands.md").read_text()
    groups = {group.name: group.typer_instance for group in app.registered_groups}
    named = {"": app, **groups}
    commands = {
        f"{group} {command.name or command.callback.__name__}".strip()
        for group, of in named.items()
        for command in of.registered_commands
    }
    assert {command for command in commands if f"`embryology {command}" not in said} == set()
    assert {probe for probe in registry.specifications() if f"--probe {probe}" not in said} == set()
