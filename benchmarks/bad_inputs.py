"""What bad input prints: every line here is one clear message, exit code 2, and nothing left behind.

python -m benchmarks.bad_inputs        prints the table
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Case:
    """A bad input: the files it needs, the command line, and words that the message must hold."""

    name: str
    command: str
    words: tuple[str, ...]
    files: dict[str, str] | None = None


HEADER = "area,rooms,price\n"
ROWS = "".join(f"{50 + 3 * i},{1 + i % 4},{100 + 7 * i}\n" for i in range(40))
LABELS = "a,b,kind\n" + "".join(f"{i},{i * i % 7},{'cat' if i % 2 else 'dog'}\n" for i in range(40))

CASES: tuple[Case, ...] = (
    # the file
    Case("missing file", "train houses.csv --target price", ("houses.csv", "no such file")),
    Case("misspelt bundled set", "train digit", ("digit", "did you mean digits")),
    Case("a folder as data", "train folder.csv --target price", ("folder.csv",), {"folder.csv/x": ""}),
    Case("empty file", "train t.csv --target price", ("t.csv", "empty"), {"t.csv": ""}),
    Case("header only", "train t.csv --target price", ("t.csv", "no rows"), {"t.csv": HEADER}),
    Case("not a table", "train t.txt --target price", ("t.txt", ".csv"), {"t.txt": "hello"}),
    Case("ragged rows", "train t.csv --target price", ("t.csv", "Row #42"), {"t.csv": HEADER + ROWS + "1,2,3,4\n"}),
    Case("broken Parquet", "train t.parquet --target price", ("t.parquet",), {"t.parquet": "PAR1 and no more"}),
    # columns
    Case("no target named", "train t.csv", ("--target", "price"), {"t.csv": HEADER + ROWS}),
    Case("unknown column", "train t.csv --target prise", ("'prise'", "price"), {"t.csv": HEADER + ROWS}),
    Case("target of a bundled set", "train iris --target species", ("iris", "--target")),
    Case("only the target", "train t.csv --target price", ("price",), {"t.csv": "price\n" + "1\n2\n" * 20}),
    Case(
        "text among numbers",
        "train t.csv --target price",
        ("rooms", "row 12", "three"),
        {"t.csv": HEADER + "".join(f"{i},{'three' if i == 11 else i % 4},{i}\n" for i in range(40))},
    ),
    Case("infinite number", "train t.csv --target price", ("area", "row"), {"t.csv": HEADER + ROWS + "inf,2,100\n"}),
    Case(
        "dates",
        "train t.csv --target price",
        ("day",),
        {"t.csv": "day,price\n" + "".join(f"2024-01-{1 + i % 28:02d},{i}\n" for i in range(40))},
    ),
    Case("two columns of one name", "train t.csv --target price", ("area",), {"t.csv": "area,area,price\n" + ROWS}),
    # the target
    Case(
        "one class only",
        "train t.csv --target kind",
        ("kind", "class"),
        {"t.csv": "a,kind\n" + "".join(f"{i},cat\n" for i in range(40))},
    ),
    Case("missing target values", "train t.csv --target price", ("row 41",), {"t.csv": HEADER + ROWS + "1,2,\n"}),
    Case(
        "text as a number to predict",
        "train t.csv --target price --task regression",
        ("row 41", "cheap"),
        {"t.csv": HEADER + ROWS + "1,2,cheap\n"},
    ),
    Case("too few rows", "train t.csv --target price", ("rows",), {"t.csv": HEADER + "1,2,3\n"}),
    # settings
    Case("unknown layer", "train iris --network 'Dense(8), Relu(), Dense(3)'", ("Relu", "did you mean ReLU")),
    Case("unclosed bracket", "train iris --network 'Dense(8, ReLU()'", ("--network",)),
    Case("wrong number of outputs", "train iris --network 'Dense(8), ReLU(), Dense(4)'", ("Dense(3)",)),
    Case("a layer of no units", "train iris --network 'Dense(0)'", ("Dense", "units")),
    Case("unknown loss", "train iris --loss CrossEntropi", ("CrossEntropi", "did you mean CrossEntropy")),
    Case("negative learning rate", "train iris --optimizer 'Adam(-1.0)'", ("Adam", "learning_rate")),
    Case("code instead of a network", "train iris --network '__import__(\"os\")'", ("--network",)),
    Case("no epochs", "train iris --epochs 0", ("epochs",)),
    Case("empty test set", "train iris --test-fraction 0", ("--test-fraction",)),
    Case(
        "diverging training",
        "train diabetes --optimizer 'SGD(1e9)' --network 'Dense(9), ReLU(), Dense(1)'",
        ("learning rate",),
    ),
    Case("unwritable folder", "train iris --epochs 1 --out file.txt", ("file.txt",), {"file.txt": ""}),
    # models
    Case("missing model", "predict nowhere t.csv", ("nowhere",), {"t.csv": HEADER + ROWS}),
    Case(
        "foreign model file",
        "predict m t.csv",
        ("m/model.json",),
        {"m/model.json": '{"weights": []}', "m/model.safetensors": "", "t.csv": HEADER},
    ),
    Case(
        "damaged model",
        "info m",
        ("m/model.json", "damaged"),
        {"m/model.json": '{"format": "chainrule mo', "m/model.safetensors": ""},
    ),
    Case(
        "model of a newer version",
        "source m",
        ("version 99",),
        {"m/model.json": json.dumps({"format": "chainrule model", "version": 99}), "m/model.safetensors": ""},
    ),
    Case("a column is missing at predict", "predict MODEL t.csv", ("rooms",), {"t.csv": "area\n50\n"}),
    Case(
        "text where the model read numbers",
        "predict MODEL t.csv",
        ("rooms", "row 1"),
        {"t.csv": "area,rooms\n50,many\n"},
    ),
    # equations
    Case("missing equations", "derive n.eq", ("n.eq", "no such file")),
    Case("no equations", "derive n.eq", ("n.eq", "no equations"), {"n.eq": "# nothing\n"}),
    Case("unknown axis", "derive n.eq", ("n.eq:1:", "unknown axis i", "^"), {"n.eq": "z[b,j] = x[b,i]*W[i,j]\n"}),
    Case("unclosed parenthesis", "derive n.eq", ("n.eq:1:11:", "never closed", "^"), {"n.eq": "C = sum[i](x[i]^2\n"}),
    Case("unknown function", "derive n.eq", ("tahn", "did you mean tanh"), {"n.eq": "C = sum[i](tahn(x[i]))\n"}),
    Case("self reference", "derive n.eq", ("h refers to itself",), {"n.eq": "h[t] = tanh(h[t])\n"}),
    Case(
        "size conflict",
        "derive n.eq",
        ("must have one size", "declared as 3", "declared as 4", "^"),
        {"n.eq": "axis i = 3, j = 4\ndata x[i], W[j]\nC = sum[j](x[j]*W[j])\n"},
    ),
    Case("real position", "derive n.eq", ("must be an integer",), {"n.eq": "data x[i]\nC = sum[i](x[x[i]])\n"}),
    Case("no such cost", "derive n.eq --of D", ("no D",), {"n.eq": "C = sum[i](x[i]^2)\n"}),
    Case(
        "derivative by an integer",
        "derive n.eq --wrt t",
        ("t holds integers",),
        {"n.eq": "integer t[b]\ndata s[b,k]\nC = sum[b](s[b,t[b]])\n"},
    ),
    Case("a cost with axes", "derive n.eq --of z", ("z[b] has axes",), {"n.eq": "z[b] = x[b]^2\nC = sum[b](z[b])\n"}),
    Case("equations in Latin-1", "derive n.eq", ("not a text file",), {"n.eq": "LATIN1"}),
    Case("unknown command", "trian digits", ("trian",)),
    Case("unknown option", "train digits --epoch 3", ("--epoch",)),
)


@dataclass(frozen=True)
class Outcome:
    case: Case
    code: int
    message: str
    left: tuple[str, ...]

    @property
    def good(self) -> bool:
        """One message that names the culprit, exit code 2, no traceback, nothing left behind."""
        return (
            self.code == 2
            and all(word in self.message for word in self.case.words)
            and "Traceback" not in self.message
            and not self.left
        )


def run_case(case: Case, folder: Path, model: Path, chainrule: Callable[[list[str], Path], tuple[int, str]]) -> Outcome:
    """Make the files of a case, run the command there, and see what it prints and leaves."""
    for name, text in (case.files or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"z = \xe9" if text == "LATIN1" else text.encode())
    before = {path for path in folder.rglob("*")}
    arguments = [str(model) if word == "MODEL" else word for word in shlex.split(case.command)]
    code, message = chainrule(arguments, folder)
    left = tuple(str(path.relative_to(folder)) for path in folder.rglob("*") if path not in before)
    return Outcome(case, code, message, left)


def in_a_process(arguments: list[str], folder: Path) -> tuple[int, str]:
    """Run the command line as a user does."""
    done = subprocess.run(
        [sys.executable, "-m", "chainrule", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "COLUMNS": "160", "NO_COLOR": "1"},
    )
    return done.returncode, done.stderr.strip()


def train_model(folder: Path) -> Path:
    """A small model of houses to predict with."""
    table = folder / "houses.csv"
    table.write_text(HEADER + ROWS)
    code, message = in_a_process(["train", str(table), "--target", "price", "--epochs", "1", "--out", "model"], folder)
    if code:
        raise RuntimeError(message)
    return folder / "model"


def main() -> None:
    bad = 0
    with tempfile.TemporaryDirectory() as root:
        model = train_model(Path(root))
        for number, case in enumerate(CASES):
            folder = Path(root) / str(number)
            folder.mkdir()
            outcome = run_case(case, folder, model, in_a_process)
            bad += not outcome.good
            print(f"{'ok ' if outcome.good else 'BAD'} {case.name}: chainrule {case.command}")
            for line in outcome.message.splitlines():
                print(f"      {line}")
            if not outcome.good:
                print(f"      exit code {outcome.code}, left behind: {outcome.left or 'nothing'}")
    print(f"{len(CASES)} bad inputs, {bad} not handled well")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
