"""Choose the exact versions anew: `make lock` writes dev.txt and peers.txt beside this file.

dev.txt holds everything that running, testing and checking need; peers.txt what PyTorch and JAX add to that.
"""

import subprocess
import tempfile
import tomllib
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
NOTE = "# Made by `make lock`; do not edit. {what}\n"


def main() -> None:
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder, "bin", "python"))
        # Python 3.11 puts an old setuptools into every new environment; PyTorch is to choose its own.
        subprocess.run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "setuptools"], check=True)
        dev = install(python, project["dependencies"] + extras["dev"])
        both = install(python, [*dev, *extras["peers"]])
    write("dev.txt", "Run, test and check.", dev)
    write("peers.txt", "What PyTorch and JAX need beside dev.txt.", [pin for pin in both if pin not in dev])


def install(python: str, requirements: list[str]) -> list[str]:
    """Install into the environment and return the pins of all that is in it then."""
    subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
    # Without `--all`, freeze leaves out setuptools.
    frozen = subprocess.run([python, "-m", "pip", "freeze", "--all"], check=True, capture_output=True, text=True).stdout
    # A local label (2.13.0+cpu) names one build of a version, and the build is the machine's choice.
    pins = [line.partition("+")[0] for line in frozen.splitlines()]
    return [pin for pin in pins if not pin.startswith("pip==")]


def write(name: str, what: str, pins: list[str]) -> None:
    (HERE / name).write_text(NOTE.format(what=what) + "".join(f"{pin}\n" for pin in pins), encoding="utf-8")


if __name__ == "__main__":
    main()
