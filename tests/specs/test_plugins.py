"""Files that are no plug-ins, each refused in one line."""

import sys

import pytest

from embryology.errors import EmbryologyError
from embryology.specs import registry
from tests.plug_ins import forget

SPECIFIED = """
from dataclasses import replace
from embryology.specs import tokens
from embryology.specs.tokens import SPECIFICATION as OTHERS

class Measures: pass
"""


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("gone.py", None, r"there is no plug-in at .*gone\.py that can be read \(No such file"),
        ("again.txt", "", r"again\.txt is no module"),
        ("a-b.py", "", r"a-b\.py is no module"),
        ("json.py", "", r"has the name of another module, 'json'; rename the file"),
        ("colorsys.py", "", r"has the name of another module, 'colorsys'"),
        ("again.py", "a = 1\n\nraise ValueError('b\\n c')", r"cannot be loaded: line 3: ValueError: b c; fix it"),
        ("again.py", "import json\njson.loads('{')", r"cannot be loaded: line 2: JSONDecodeError"),
        ("again.py", "a = 1\nb = = 2", r"cannot be loaded: line 2: SyntaxError"),
        ("again.py", "raise SystemExit(0)", r"cannot be loaded: line 1: SystemExit: 0"),
        ("again.py", "import helper", r"cannot be loaded: line 1: ModuleNotFoundError: No module named 'helper'"),
        ("again.py", "a = 1", r"holds no specification, whose probe is 'again:' and"),
        ("again.py", SPECIFIED, r"holds no specification"),  # what it imports is not its own
        ("again.py", "A = replace(OTHERS, name='a', probe='again:Measure')", "'again:Measure', which is not in it"),
        (
            "again.py",
            "A = replace(OTHERS, probe='again:Measures', pages=())",
            "has a probe 'tokens', and there is another",
        ),
        ("again.py", "A = replace(OTHERS, name='a', probe='again:Measures')", "specifies the page 'tokens'"),
        (
            "again.py",
            "A, B = (replace(OTHERS, name='a', probe='again:Measures', pages=(), version=v) for v in (1, 2))",
            "has a probe 'a', and there is another",
        ),
        (
            "again.py",
            "A = replace(OTHERS, needs=frozenset({'head'}))",
            r"line 8: ValueError: tokens needs head; models",
        ),
    ],
)
def test_a_file_that_is_no_plugin_is_one_clear_line_and_nothing_is_added(tmp_path, monkeypatch, name, text, message):
    forget()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "helper.py").write_text("")
    if text is not None:
        (tmp_path / name).write_text(f"{SPECIFIED}\n{text}" if "OTHERS" in text else text)
    with pytest.raises(EmbryologyError, match=message) as raised:
        registry.add(name)
    assert f"{tmp_path / name}" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert registry.added == {}
    assert "again" not in sys.modules
