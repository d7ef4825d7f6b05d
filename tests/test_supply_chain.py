"""What is installed is what was reviewed: locks with hashes, bounds above known faults, a bill with true licences."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("run.lock", "test.lock")
ROW = re.compile(r"^([a-z0-9-]+)==(\S+) \\\n    --hash=sha256:[0-9a-f]{64}\n", re.MULTILINE)
MENDED = {
    "h11": "0.16",  # CVE-2025-43859: chunks that are cut otherwise than others cut them
    "cryptography": "46.0.5",  # CVE-2026-26007: points of small subgroups
    "lxml": "6.1",  # CVE-2026-41066: local files by external entities
    "pyOpenSSL": "26.1",  # CVE-2026-27448, -27459, -40475: exceptions that let a handshake through, DTLS cookies, NULs
    "Twisted": "24.7",  # CVE-2024-41671: answers in another order
}


def locked(name: str) -> dict[str, Version]:
    text = (ROOT / "requirements" / name).read_text()
    return {package: Version(version) for package, version in ROW.findall(text)}


def asked(*sections: tuple[str, str]) -> list[Requirement]:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return [Requirement(line) for place in sections for line in parser.get(*place).split("\n") if line]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_of_a_lock_has_one_version_and_a_hash_and_no_place(lock):
    text = (ROOT / "requirements" / lock).read_text()

    rows = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    assert ROW.sub("", rows) == ""
    assert len(locked(lock)) == rows.count("==")
    assert "setuptools" in locked(lock)


@pytest.mark.parametrize(
    ("lock", "sections"),
    [
        ("run.lock", [("options", "install_requires")]),
        (
            "test.lock",
            [
                ("options", "install_requires"),
                ("options.extras_require", "postgresql"),
                ("options.extras_require", "test"),
            ],
        ),
    ],
    ids=LOCKS,
)
def test_a_lock_has_all_that_is_asked_for_within_its_bounds(lock, sections):
    versions = locked(lock)

    outside = [
        str(each)
        for each in asked(*sections)
        if not each.specifier.contains(versions.get(re.sub(r"[-_.]+", "-", each.name).lower(), Version("0")))
    ]
    assert outside == []


def test_the_tests_run_the_versions_that_an_installation_runs():
    tested = locked("test.lock")

    assert {name: tested.get(name) for name in locked("run.lock")} == locked("run.lock")


@pytest.mark.parametrize("name", sorted(MENDED))
def test_lower_bounds_are_above_known_faults(name):
    [bound] = [each.specifier for each in asked(("options", "install_requires")) if each.name == name]

    assert min(Version(each.version) for each in bound) >= Version(MENDED[name])


def test_pip_is_told_to_check_every_hash_and_to_build_nothing_of_others():
    text = (ROOT / "bin" / "environment").read_text()

    installs = [line.strip() for line in text.splitlines() if re.match(r"\s*pip install ", line)]
    assert installs[0].startswith("pip install --require-hashes --only-binary :all:")
    assert installs[-1].startswith("pip install --no-deps --no-build-isolation")


def test_node_packages_are_those_of_their_lock():
    text = (ROOT / "tests" / "interop" / "package-lock.json").read_text()
    packages = {name: each for name, each in json.loads(text)["packages"].items() if name}

    assert packages
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert 'npm-cli.js" ci ' in (ROOT / "bin" / "test").read_text()


@pytest.fixture(scope="module")
def bill():
    done = subprocess.run(
        [sys.executable, ROOT / "bin" / "sbom"], capture_output=True, check=True, timeout=60, cwd="/"
    )
    return json.loads(done.stdout)


def test_the_bill_of_materials_names_everything_that_runs_with_its_licence(bill):
    components = {each["name"]: each for each in bill["components"]}

    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert bill["metadata"]["component"]["name"] == "onetouch"
    assert set(locked("run.lock")) - {"setuptools"} <= set(components)
    assert [each["name"] for each in components.values() if not each["licenses"]] == []
    assert {"psycopg-binary", "twisted", "pydantic-core"} <= set(components)


def test_who_needs_whom_is_in_the_bill(bill):
    needs = {each["ref"].split("@")[0]: each["dependsOn"] for each in bill["dependencies"]}
    known = {each["bom-ref"] for each in bill["components"]}

    assert all(set(refs) <= known for refs in needs.values())
    assert any(each.startswith("pkg:pypi/pydantic-core@") for each in needs["pkg:pypi/pydantic"])


def test_the_licences_that_the_documents_name_are_those_of_the_packages(bill):
    """The ones that oblige those who hand the service on."""
    told = {each["name"]: json.dumps(each["licenses"]) for each in bill["components"]}
    text = (ROOT / "docs" / "dependencies.md").read_text()

    for name in ("smpplib", "psycopg"):
        [row] = [line for line in text.splitlines() if line.startswith(f"| {name} ")]
        assert "LGPL-3.0-only" in told[name]
        assert "LGPL-3.0-only" in row
    copyleft = {name for name, each in told.items() if "GPL" in each}
    assert copyleft == {"smpplib", "psycopg", "psycopg-binary"}
