"""What the benchmark of ensembles is asked for."""

from __future__ import annotations

import pytest

from benchmarks import ensembles


def test_sets(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = []
    monkeypatch.setattr(ensembles, "measure", lambda name, *_: asked.append(name) or (1.0, 2.0, 3.0))
    ensembles.main(["--splits", "1"])
    assert set(asked) == {"housing", "adult"} and "| one network | 1.0000 | 2.000 | 3.0 |" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        ensembles.main(["housing", "iris"])
    assert "no set 'iris'; there are housing, adult, step" in capsys.readouterr().err
