"""Rules of the source that no linter knows."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

import nextpixel

ROOT = Path(__file__).parents[1]
PACKAGE = Path(nextpixel.__file__).parent
FAMILIES = PACKAGE / "families"
MODULES = sorted(PACKAGE.rglob("*.py"))
OF_NAMED_TUPLES = {"_replace", "_fields", "_asdict", "_make"}
DOCUMENTED = {"os._exit"}


def offenders(rule, paths=MODULES):
    """What a rule, a function of a syntax tree, says of modules."""
    return [f"{path.relative_to(PACKAGE)}, {line}" for path in paths for line in rule(ast.parse(path.read_text()))]


def private_parts_of_others(tree):
    """Underscored attributes of anything but `self`, `cls` and modules of torch."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_") or node.attr.startswith("__"):
            continue
        owner = node.value
        own = isinstance(owner, ast.Name) and owner.id in {"self", "cls", "torch"}
        parent = isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "super"
        if not own and not parent and node.attr not in OF_NAMED_TUPLES and ast.unparse(node) not in DOCUMENTED:
            yield f"line {node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("source", ["model._predict(x)", "self.inner._walk(x)", "a().b._c"])
def test_private_parts_are_seen(source):
    assert len(list(private_parts_of_others(ast.parse(source)))) == 1


def test_no_module_uses_what_another_keeps_to_itself():
    # A family that has another inside, or that sets what it shares with it, is of the same trade.
    assert not offenders(private_parts_of_others, [path for path in MODULES if FAMILIES not in path.parents])


def text_of(node):
    """The end of a text that is put together in the source; None where it ends with a value."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return text_of(node.values[-1]) if node.values else ""
    if isinstance(node, ast.BinOp):
        return text_of(node.right)
    if isinstance(node, ast.IfExp):
        return text_of(node.body) or text_of(node.orelse)
    return None


def errors_with_a_full_stop(tree):
    """Messages of exceptions, and what a `Progress` is told, that end with a full stop."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            message = text_of(node.args[0])
            if (called.endswith(("Error", "Unusable")) or called == "note") and message and message.endswith("."):
                yield f"line {node.lineno}: {message}"


@pytest.mark.parametrize("source", ["raise DataError('It is damaged.')", "raise errors.InputError(f'{x} is' f' it.')"])
def test_full_stops_are_seen(source):
    assert len(list(errors_with_a_full_stop(ast.parse(source)))) == 1


def test_errors_and_notes_end_without_a_full_stop():
    assert not offenders(errors_with_a_full_stop)


def first_words(tree):
    """The first word of the docstring of each function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and (docstring := ast.get_docstring(node)):
            yield f"line {node.lineno}", docstring.split()[0].rstrip(".,:;")


# But those of which the third person is a plural as well: sets, maps, stores.
THIRD_PERSON = re.compile(
    r"(Add|Allow|Append|Apply|Arrange|Ask|Begin|Binarise|Build|Call|Check|Choose|Close|Collect|Compare|Compute|Convert|"
    r"Create|Decide|Decode|Divide|Doe|Encode|Ensure|Fetche|Fill|Find|Follow|Get|Give|Hear|Hold|Ignore|Keep|Leave|Load|"
    r"Make|Measure|Move|Open|Parse|Passe|Prepare|Print|Put|Raise|Read|Refuse|Remember|Remove|Render|Replace|Restore|"
    r"Return|Run|Save|Say|Send|Skip|Start|Stop|Take|Tell|Train|Turn|Update|Wait|Walk|Warn|Write|Yield)s"
)


def in_third_person(tree):
    return [f"{line}: {word}" for line, word in first_words(tree) if THIRD_PERSON.fullmatch(word)]


def test_the_third_person_is_seen():
    assert in_third_person(ast.parse('def f():\n    """Reads a file."""')) == ["line 1: Reads"]


def test_docstrings_of_functions_are_imperative():
    assert not offenders(in_third_person)


VAGUE = {"each", "found", "given", "own"}


def vague_names(tree):
    """Variables and arguments whose names say nothing of what they hold."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.arg in VAGUE:
            yield f"line {node.lineno}: {node.arg}"
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in VAGUE:
            yield f"line {node.lineno}: {node.id}"


def test_vague_names_are_seen():
    assert len(list(vague_names(ast.parse("def f(own):\n    return [each for each in own]")))) == 2


def test_variables_are_called_by_nouns():
    assert not offenders(vague_names)


def names_imported(tree):
    """Names that a script takes from modules of the package, with their modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "nextpixel":
            yield from ((node.module, alias.name) for alias in node.names)


def missing(module, name):
    """Whether a module has no such name and no such module inside."""
    owner = importlib.import_module(module)
    if hasattr(owner, name):
        return False
    return not hasattr(owner, "__path__") or importlib.util.find_spec(f"{module}.{name}") is None


SCRIPTS = sorted(path for folder in ("benchmarks", "examples", "docs/scripts") for path in (ROOT / folder).glob("*.py"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_scripts_import_what_there_is(path):
    assert not [names for names in names_imported(ast.parse(path.read_text())) if missing(*names)]


def test_what_there_is_not_is_seen():
    assert missing("nextpixel.rendering.grid", "no_such_name")
    assert not missing("nextpixel.rendering", "grid")
