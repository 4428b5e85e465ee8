"""``import chainrule`` loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys


def test_import_loads_nothing_heavy() -> None:
    code = "import sys, chainrule; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"numpy", "sklearn", "scipy", "pyarrow", "lark", "rich", "typer"} & set(done.stdout.split())


def test_every_public_name_is_there() -> None:
    import chainrule

    for name in chainrule.__all__:
        assert getattr(chainrule, name) is not None
    assert set(chainrule.__all__) <= set(dir(chainrule))
