"""Rules of the source that no linter knows."""

import ast
from pathlib import Path

import pytest

import nextpixel

PACKAGE = Path(nextpixel.__file__).parent
FAMILIES = PACKAGE / "families"
MODULES = sorted(PACKAGE.rglob("*.py"))
OF_NAMED_TUPLES = {"_replace", "_fields", "_asdict", "_make"}


def names(paths):
    return [str(path.relative_to(PACKAGE)) for path in paths]


def private_parts_of_others(tree):
    """Underscored attributes of anything but `self`, `cls` and modules of torch."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.startswith("__"):
            continue
        owner = node.value
        own = isinstance(owner, ast.Name) and owner.id in {"self", "cls", "torch"}
        parent = isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "super"
        if not own and not parent and node.attr not in OF_NAMED_TUPLES:
            yield f"line {node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("source", ["model._predict(x)", "self.inner._walk(x)", "a().b._c"])
def test_private_parts_are_seen(source):
    assert len(list(private_parts_of_others(ast.parse(source)))) == 1


# A family that has another inside, or that sets what it shares with it, is of the same trade.
@pytest.mark.parametrize(
    "path", (paths := [path for path in MODULES if FAMILIES not in path.parents]), ids=names(paths)
)
def test_no_module_uses_what_another_keeps_to_itself(path):
    assert not list(private_parts_of_others(ast.parse(path.read_text())))
