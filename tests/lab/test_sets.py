"""Sets of the lab: bundled, in the plane, dropped; what is too much or of no kind is refused and not kept."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.data.files import read_table
from chainrule.errors import ChainruleError
from chainrule.lab import dropped as taken
from chainrule.lab import sets as module
from chainrule.lab.dropped import Dropped
from chainrule.lab.sets import Sets


@pytest.fixture
def sets():
    made = Sets()
    yield made
    made.close()


def picture(side: int = 6, seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def dropped(folder: Path, files: dict[str, bytes]) -> list[Dropped]:
    made = []
    for number, (name, content) in enumerate(files.items()):
        path = folder / f"file{number}"
        path.write_bytes(content)
        made.append(Dropped(name, path))
    return made


def pictures(count: int = 8) -> dict[str, bytes]:
    return {f"animals/{kind}/{n}.png": picture(seed=n) for kind in ("cat", "dog") for n in range(count)}


def packed(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


CSV = "size,colour,price\n" + "".join(f"{n},{'red' if n % 2 else 'blue'},{n * 1.5}\n" for n in range(30))


@pytest.mark.parametrize("key", ["digits", "iris", "wine", "breast_cancer", "diabetes", "moons", "circles", "spirals"])
def test_bundled_sets(sets: Sets, key: str) -> None:
    data = sets.get(key)
    assert len(data.training) + len(data.validation) == len(data.everything)
    assert data.in_plane == (key in module.PLANES)
    assert data.classes == (key != "diabetes")
    assert sets.get(key) is data


def test_a_table(sets: Sets, tmp_path: Path) -> None:
    key = sets.add(dropped(tmp_path, {"houses.csv": CSV.encode()}))
    assert sets.titles()[key] == "houses.csv"
    data = sets.get(key)
    assert data.columns == ("size", "colour", "price")
    assert data.everything.target == "price" and not data.classes
    assert sets.get(key, "colour").classes
    with pytest.raises(ChainruleError, match="no column 'colr'"):
        sets.get(key, "colr")


def test_a_table_whose_last_column_cannot_be_predicted(sets: Sets, tmp_path: Path) -> None:
    rows = "".join(f"{n},{'red' if n % 2 else 'blue'},a remark of its own {n}\n" for n in range(30))
    key = sets.add(dropped(tmp_path, {"x.csv": b"size,colour,remark\n" + rows.encode()}))
    assert sets.get(key).everything.target == "colour" and sets.get(key).columns == ("size", "colour", "remark")
    with pytest.raises(ChainruleError, match="column 'remark' holds 30 different texts") as caught:
        sets.get(key, "remark")
    assert "--" not in str(caught.value)  # nobody has typed a command here


def test_a_table_is_read_once_for_all_its_targets(sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    monkeypatch.setattr(module, "read_table", lambda path: read.append(path) or read_table(path))
    names = [f"c{n}" for n in range(2 * module.MOST_READ)]
    rows = "".join(",".join(str(n * m) for m in range(len(names))) + "\n" for n in range(30))
    key = sets.add(dropped(tmp_path, {"wide.csv": (",".join(names) + "\n" + rows).encode()}))
    made = [sets.get(key, name) for name in names]
    assert [one.everything.target for one in made] == names
    assert len(read) == 1 and len(sets._read._values) == module.MOST_READ
    assert sets.get(key, names[-1]) is made[-1]


@pytest.mark.parametrize("archived", [False, True])
def test_images(sets: Sets, tmp_path: Path, archived: bool) -> None:
    files = {"animals.zip": packed({**pictures(), "__MACOSX/._x": b"", "animals/.DS_Store": b""})}
    key = sets.add(dropped(tmp_path, files if archived else pictures()))
    data = sets.get(key)
    assert data.title == "animals"
    assert sorted(set(data.everything.y)) == ["cat", "dog"]
    assert len(data.everything) == 16


def test_large_images_are_scaled(sets: Sets, tmp_path: Path) -> None:
    files = {f"{kind}/{n}.png": picture(100, n) for kind in "ab" for n in range(6)}
    data = sets.get(sets.add(dropped(tmp_path, files)))
    assert data.everything.X.shape == (64, 64)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "nothing was dropped"),
        ({"x.csv": b""}, "x.csv: the file is empty"),
        ({"x.csv": b"a,b\n1,2\n3"}, "x.csv"),
        ({"x.csv": b"a,b\n1,2\n"}, "x.csv: 1 row is too few to keep some aside"),
        ({"x.parquet": b"PAR1 nothing"}, "x.parquet"),
        ({"x.exe": b"MZ"}, "nothing that the lab reads"),
        ({"x": b""}, "nothing that the lab reads"),
        ({"x.csv": b"a", "y.csv": b"b"}, "nothing that the lab reads"),
        ({"../x.csv": CSV.encode()}, "no name for a file"),
        ({"/etc/x.csv": CSV.encode()}, "no name for a file"),
        ({"C:\\x.csv": CSV.encode()}, "no name for a file"),
        ({"a\x00.csv": CSV.encode()}, "no name for a file"),
        ({"cat.png": b""}, "in a folder for each class"),
        ({"a/1.png": b"no image", "b/1.png": b"no image"}, "is no image"),
        ({"x.zip": b"PK nothing"}, "cannot be read"),
        ({"x.zip": packed({})}, "nothing that the lab reads"),
        ({"x.zip": packed({"a/1.txt": b"x"})}, "nothing that the lab reads"),
        ({"x.zip": packed({"../../a/1.png": picture()})}, "no name for a file"),
        ({"x.zip": packed({"/etc/1.png": picture()})}, "no name for a file"),
        ({"x.zip": packed({"1.png": picture()})}, "in a folder for each class"),
    ],
)
def test_what_is_refused(sets: Sets, tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    before = sets.titles()
    with pytest.raises(ChainruleError) as caught:
        sets.add(dropped(tmp_path, files))
    assert words in str(caught.value)
    assert str(sets.folder) not in str(caught.value)
    assert sets.titles() == before
    assert not list(sets.folder.iterdir())


def test_a_link_in_an_archive_is_refused(sets: Sets, tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        link = zipfile.ZipInfo("a/1.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ChainruleError, match="is a link"):
        sets.add(dropped(tmp_path, {"x.zip": file.getvalue()}))


def test_an_archive_that_unpacks_to_too_much(sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_UNPACKED", 2**20)
    with pytest.raises(ChainruleError, match="unpacks to more than 1 MB"):
        sets.add(dropped(tmp_path, {"x.zip": packed({"a/1.png": bytes(2**21), "b/1.png": b""})}))
    assert not list(sets.folder.iterdir())


def test_too_many_and_too_large(sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 10)
    monkeypatch.setattr(taken, "MOST_FILES", 10)
    with pytest.raises(ChainruleError, match="16 files are too many"):
        sets.add(dropped(tmp_path, pictures()))
    with pytest.raises(ChainruleError, match="holds 16 files"):
        sets.add(dropped(tmp_path, {"x.zip": packed(pictures())}))
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    with pytest.raises(ChainruleError, match="too much"):
        sets.add(dropped(tmp_path, {"x.csv": bytes(2000)}))


def test_an_image_of_too_many_pixels(sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PIXELS", 30)
    with pytest.raises(ChainruleError, match="6×6 pixels"):
        sets.add(dropped(tmp_path, pictures()))


def test_everything_goes_with_the_server(tmp_path: Path) -> None:
    sets = Sets()
    key = sets.add(dropped(tmp_path, {"x.csv": CSV.encode()}))
    sets.close()
    assert not sets.folder.exists()
    with pytest.raises(ChainruleError, match="drop the file again"):
        sets.get(key)
