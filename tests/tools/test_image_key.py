"""When scripts/image.sh builds: in a small repository, with a buildah that only notes what it is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT

BUILDAH = """#!/bin/bash
# Images are files in $IMAGES.
name() { echo "$IMAGES/${1//\\//_}"; }
case $1 in
inspect) image="$(name "${@: -1}")"; [[ -e "$image" ]] && cat "$image" ;;
tag) cp "$(name "$2")" "$(name "$3")" ;;
build)
    echo build "$@" >>"$CALLS"
    while [[ "$1" != --tag ]]; do shift; done
    echo built >"$(name "$2")" ;;
push) echo push >>"$CALLS"; target="${@: -1}"; target="${target#docker-archive:}"; echo archive >"${target%%:*}" ;;
*) exit 1 ;;
esac
"""


class Repository:
    def __init__(self, directory: Path) -> None:
        self.root = directory / "repository"
        self.calls = directory / "calls"
        self.images = directory / "images"
        self.images.mkdir(parents=True)
        (self.images / "localhost_debian:bookworm-slim").write_text("base\n")
        for name in (".dockerignore", "Dockerfile", "CMakeLists.txt", "CMakePresets.json", "LICENSE"):
            self.write(name, (ROOT / name).read_text())
        for name in ("image.sh", "image_root.sh", "lib.sh", "source_commit.sh"):
            self.write(f"scripts/{name}", (ROOT / "scripts" / name).read_text(), 0o755)
        self.write("scripts/buildah.sh", BUILDAH, 0o755)
        self.write("controller/main.cpp", "int main() {}\n")
        self.write("tests/test.py", "\n")
        self.write(".gitignore", "build/\n")
        self.git("init", "--quiet")
        self.commit("first")

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", "-C", str(self.root), *who, *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")[:12]

    def image(self, *arguments: str, **environment: str) -> tuple[list[str], str]:
        """What buildah did for `make image`, and what that printed."""
        self.calls.write_text("")
        own = {"CALLS": str(self.calls), "IMAGES": str(self.images), **environment}
        inherited = {name: value for name, value in os.environ.items() if name != "FORCE"}
        done = subprocess.run(
            [str(self.root / "scripts/image.sh"), *arguments],
            env={**inherited, **own},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return self.calls.read_text().splitlines(), done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path)
    did, _ = made.image()
    assert [line.split()[0] for line in did] == ["build", "push"]
    return made


def test_nothing_is_done_where_nothing_has_changed(repository: Repository) -> None:
    did, said = repository.image()
    assert not did and "image is up to date" in said


def test_a_commit_of_tests_makes_no_other_image(repository: Repository) -> None:
    repository.write("tests/test.py", "assert True\n")
    repository.commit("tests only")
    assert repository.image()[0] == []


@pytest.mark.parametrize(
    "name", ["controller/main.cpp", "controller/new.cpp", "Dockerfile", "LICENSE", ".dockerignore"]
)
def test_what_goes_into_it_makes_another(repository: Repository, name: str) -> None:
    path = repository.root / name
    repository.write(name, (path.read_text() if path.exists() else "") + "\n")
    did, said = repository.image()
    assert len(did) == 2 and name in said  # which is uncommitted

    commit = repository.commit("sources")
    did, said = repository.image()
    assert len(did) == 2 and f"COMMIT={commit}" in did[0] and "uncommitted" not in said
    repository.write("tests/test.py", "assert True\n")
    repository.commit("tests only")
    assert repository.image()[0] == []


def test_so_do_modes_flags_and_the_base_image(repository: Repository) -> None:
    (repository.root / "scripts/image_root.sh").chmod(0o644)
    assert len(repository.image()[0]) == 2
    assert len(repository.image("--no-cache")[0]) == 2
    (repository.images / "localhost_debian:bookworm-slim").write_text("another\n")
    assert len(repository.image("--no-cache")[0]) == 2
    assert not repository.image("--no-cache")[0]


def test_by_force(repository: Repository) -> None:
    assert len(repository.image(FORCE="1")[0]) == 2
    assert not repository.image(FORCE="0")[0]


def test_without_its_archive_it_is_only_written(repository: Repository) -> None:
    shutil.rmtree(repository.root / "build")
    assert repository.image()[0] == ["push"]


def test_without_the_image_the_archive_is_not_enough(repository: Repository) -> None:
    for image in repository.images.glob("omni-connection-operator*"):
        image.unlink()
    assert len(repository.image()[0]) == 2


def test_back_to_an_earlier_state_takes_the_earlier_image(repository: Repository) -> None:
    text = (repository.root / "controller/main.cpp").read_text()
    repository.write("controller/main.cpp", text + "// tried\n")
    assert len(repository.image()[0]) == 2
    repository.write("controller/main.cpp", text)
    assert repository.image()[0] == ["push"]
