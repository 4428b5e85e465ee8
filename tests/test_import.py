"""``import chainrule`` loads nothing heavy, and imports point one way."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "chainrule"


def test_import_loads_nothing_heavy() -> None:
    code = "import sys, chainrule; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"numpy", "sklearn", "scipy", "pyarrow", "lark", "rich", "typer"} & set(done.stdout.split())


def test_every_public_name_is_there() -> None:
    import chainrule

    for name in chainrule.__all__:
        assert getattr(chainrule, name) is not None
    assert set(chainrule.__all__) <= set(dir(chainrule))


def test_imports_point_one_way() -> None:
    order = stated_order()
    assert len(order) == len(set(order))
    wrong = [
        f"{path.relative_to(PACKAGE)}, line {line}: {own} comes before {other}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if (own := part_of(path)) in order
        for other, line in imported(ast.parse(path.read_text(encoding="utf-8")))
        if order.index(other) > order.index(own)
    ]
    assert not wrong, "\n".join(wrong)


def test_every_package_has_its_place_in_the_order() -> None:
    parts = {part_of(path) for path in PACKAGE.rglob("*.py")}
    differing = (parts - {"__init__", "__main__"}) ^ set(stated_order())
    assert not differing, f"docs/architecture.md and src/chainrule differ in {', '.join(sorted(differing))}"


def test_an_import_the_wrong_way_is_found() -> None:
    text = """
import chainrule.cli.sets
from chainrule import walk, derive
try:
    from chainrule.lab.page import Page
except ImportError:
    pass
def show():
    from chainrule.report import report
if TYPE_CHECKING:
    from chainrule.data import Set
"""
    assert sorted(imported(ast.parse(text))) == [("cli", 2), ("lab", 5), ("walk", 3)]


def stated_order() -> list[str]:
    """The parts of the package as the documentation lists them, what imports after what is imported."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    block = re.search(r"```\n(.*?)```", text, re.DOTALL)
    assert block is not None
    return block[1].split()


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """The parts of the package that a module imports when it is loaded, with the line."""
    parts = stated_order()
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            todo += node.orelse
            continue
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            package, _, rest = name.partition(".")
            part = rest.partition(".")[0]
            if package == "chainrule" and part in parts:
                yield part, node.lineno
        todo += ast.iter_child_nodes(node)
