"""A change by hand is one place of one file, and is given the tests that reach it, quickest first."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from mutants import __main__ as mutants
from mutants import changes
from mutants.changes import Change

SOURCE = "def mean(values):\n    total = sum(values)\n    return total / len(values)\n"


@pytest.fixture
def root(tmp_path, monkeypatch):
    (tmp_path / "embryology").mkdir()
    (tmp_path / "embryology" / "means.py").write_text(SOURCE)
    (tmp_path / "tests").mkdir()
    for module in (mutants, changes):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    mutants._hash.cache_clear()
    return tmp_path


def change(old, new="0"):
    return Change("embryology/means.py", old, new, "by_hand")


def test_a_change_has_its_lines(root):
    assert list(change("len(values)").lines) == [3]
    assert list(change("sum(values)\n    return total").lines) == [2, 3]
    assert change("len(values)").room == "means"
    assert change("len(values)").applied(SOURCE) == SOURCE.replace("len(values)", "0")


@pytest.mark.parametrize("name", ["by_hand", "afterwards", "equivalent"])
def test_the_lists_quote_the_code_as_it_stands(name):
    assert len(changes.listed(name)) > 20


def test_text_that_stands_twice_or_no_more_is_refused(root, monkeypatch):
    monkeypatch.setattr(changes, "HERE", root)
    (root / "by_hand").mkdir()
    entries = [{"file": "embryology/means.py", "old": old, "new": "0", "what": ""} for old in ("total", "mode", "len")]
    (root / "by_hand" / "means.yaml").write_text(json.dumps(entries))
    with pytest.raises(SystemExit) as refusal:
        changes.listed("by_hand")
    assert [line.rpartition(": ")[2] for line in str(refusal.value).splitlines()[1:]] == ["'total'", "'mode'"]


def test_names_of_tests_are_those_that_are_there(root):
    (root / "tests" / "test_one.py").write_text(
        "import pytest\n\n\n@pytest.mark.parametrize('n', [1, 2])\ndef test_it(n):\n    assert n\n"
    )
    assert mutants._collected() == {"tests/test_one.py": {f"tests/test_one.py::test_it[{n}]" for n in (1, 2)}}
    (root / "tests" / "test_two.py").write_text("import nothing_such\n")
    with pytest.raises(SystemExit, match="cannot be collected"):
        mutants._collected()


def test_a_change_is_given_the_tests_that_reach_it_quickest_first(root, monkeypatch):
    lines = {"quick": {"a": [3], "b": [1]}, "slow": {"c": [3]}, "shared": {"*": [2, 3], "d": [1]}}
    seconds = {"quick": {"a": 1, "b": 1}, "slow": {"c": 100}, "shared": {"d": 5, "e": 4}}
    (root / "reach").mkdir()
    for name, by_test in lines.items():
        file = f"tests/test_{name}.py"
        (root / file).write_text(name)
        found = {"lines": {"embryology/means.py": by_test}, "seconds": seconds[name], "failed": []}
        found["hashes"] = {"embryology/means.py": mutants._hash("embryology/means.py")}
        (root / "reach" / f"{file.replace('/', '.')}.{mutants._hash(file)}.json").write_text(json.dumps(found))
    names = {f"tests/test_{name}.py": set(of) for name, of in seconds.items()}
    monkeypatch.setattr(mutants, "_collected", lambda: names)
    measured = []
    with ThreadPoolExecutor(1) as pool:
        reach = mutants.Reach(root / "reach", measured.append, pool)
        assert not measured
        names["tests/test_slow.py"] = {"c", "new"}
        mutants.Reach(root / "reach", measured.append, pool)
    assert len(measured) == 1
    assert reach.of(change("len(values)")) == (["a", "e", "d", "c"], 110)
    assert reach.of(change("sum(values)")) == (["e", "d"], 9)
    (root / "embryology" / "means.py").write_text("# moved\n" + SOURCE)
    mutants._hash.cache_clear()
    assert reach.of(change("sum(values)"))[0] == ["a", "b", "e", "d", "c"]


def test_a_later_line_of_a_statement_is_reached_by_what_reaches_the_statement(root):
    (root / "embryology" / "means.py").write_text(
        'WAYS = (\n    "mean",\n    "median",\n)\n\n\ndef one():\n    return 1\n'
    )
    assert change('"median"').statements == {1}
    assert change("1\n").statements == {8}
    with ThreadPoolExecutor(1) as pool:
        reach = mutants.Reach(root / "reach", None, pool)
    by_test = {"a": [1], "b": [8]}
    found = {"lines": {"embryology/means.py": by_test}, "seconds": {"a": 1, "b": 1}, "failed": []}
    reach.tests = {"": found | {"hashes": {"embryology/means.py": mutants._hash("embryology/means.py")}}}
    assert reach.of(change('"median"')) == (["a"], 1)
    assert reach.of(change("1\n")) == (["b"], 1)


def test_a_sample_has_so_many_of_each_kind_and_room_and_is_the_same_again():
    of = [Change(f"embryology/{room}/a.py", str(n), "", kind) for n in range(9) for room in "xy" for kind in "kl"]
    few = [Change("embryology/z/a.py", "0", "", "k")]
    sampled = list(mutants._sampled(of + few, 4, seed=0))
    counts = {
        (kind, room): sum((one.kind, one.room) == (kind, room) for one in sampled) for kind in "kl" for room in "xyz"
    }
    assert counts == {("k", "x"): 4, ("k", "y"): 4, ("k", "z"): 1, ("l", "x"): 4, ("l", "y"): 4, ("l", "z"): 0}
    assert len(set(sampled)) == len(sampled)
    assert set(sampled) <= {*of, *few}
    assert sampled == list(mutants._sampled(of + few, 4, seed=0)) != list(mutants._sampled(of + few, 4, seed=1))
