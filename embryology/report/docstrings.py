"""A Sphinx extension: what docstrings say of attributes and of what is returned is shown as it is written.

Napoleon, which reads the sections of docstrings, takes what stands before a colon in those places for a type. The types
stand in the signatures.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

BEFORE_NAPOLEON = 400


def without_types(app: "Sphinx", what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Put a colon before the first word in those places, which says that no type stands before it."""
    begins = [0] if what in ("attribute", "data", "property") else []
    begins += [number + 1 for number, line in enumerate(lines) if line.strip() == "Returns:"]
    for number in begins:
        if number < len(lines):
            text = lines[number].lstrip()
            lines[number] = lines[number].removesuffix(text) + f":{text}"


def setup(app: "Sphinx") -> dict[str, bool]:
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", without_types, priority=BEFORE_NAPOLEON)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
