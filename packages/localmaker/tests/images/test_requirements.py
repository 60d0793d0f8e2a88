"""Which requirements are installed, with which of the machine's settings, and where: in the sandbox, wheels only."""

import subprocess
import textwrap
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from localmaker.images.environments import EnvironmentBuildError, RefusedRequirementsError, derived_environment
from localmaker.images.requirements import (
    SOURCE_VARIABLE,
    installer_of_builds,
    installer_of_jobs,
    is_self_contained,
    refusal,
)

SECRET = "https://user:word@index/simple"


@pytest.mark.parametrize(
    ("requirements", "expected"),
    [
        ("numpy\npandas>=2 # comment\n", True),
        ("-r other.txt", False),
        ("  --requirement=x", False),
        ("./local", False),
        ("-e .", False),
        ("x @ file:///tmp/x.whl", False),
        ("--index-url https://example.org/simple\nx", True),
    ],
)
def test_self_contained_requirements(requirements, expected):
    assert is_self_contained(requirements) is expected


@pytest.mark.parametrize(
    "line",
    [
        "x @ https://example.org/x-1.0.tar.gz",
        "x[extra]@https://example.org/x-1.0-py3-none-any.whl ; python_version > '3'",
        "https://example.org/x-1.0.tar.gz",
        "git+https://user:word@example.org/x.git@main#egg=x",
        "git+ssh://git@example.org/x.git",
        "HTTP://example.org/x.zip",
        "--no-binary :all:",
        "--no-binary=x",
    ],
)
def test_what_is_no_wheel_of_an_index_is_refused_with_its_line(line):
    refused = refusal(f"# first\nnumpy \\\n  --hash=sha256:{'0' * 64}\n\n{line}  # last\n")
    assert refused.startswith("requirements.txt, line 5: ")
    assert SOURCE_VARIABLE in refused
    assert "word" not in refused


@pytest.mark.parametrize(
    "line", ["numpy", "pandas[excel]>=2,<3 ; python_version > '3'", "--pre", "# x @ https://y", "?"]
)
def test_other_lines_are_left_to_pip(line):
    assert refusal(line) is None


def test_jobs_get_no_passwords_and_their_endpoint_without_a_proxy():
    machine = {"HTTPS_PROXY": "http://me:word@proxy:1", "NO_PROXY": "intra", "PIP_INDEX_URL": SECRET, "OTHER": "1"}
    assert installer_of_jobs(machine).variables == {
        "HTTPS_PROXY": "http://proxy:1",
        "PIP_INDEX_URL": "https://index/simple",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ONLY_BINARY": ":all:",
        "NO_PROXY": "intra,127.0.0.1,localhost",
        "no_proxy": "intra,127.0.0.1,localhost",
    }
    assert "NO_PROXY" not in installer_of_jobs({}).variables


def test_builds_get_the_users_index_unless_code_of_packages_runs(tmp_path):
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {SECRET}\nfind-links = {tmp_path}\n    /absent\n")
    machine = {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "PATH": "/usr/bin"}
    installer = installer_of_builds(machine)
    assert installer.variables["PIP_INDEX_URL"] == SECRET
    assert installer.variables["PIP_FIND_LINKS"] == f"{tmp_path} /absent"
    assert tmp_path in installer.visible
    assert Path("/absent") not in installer.visible
    assert "word" not in str(installer_of_builds({**machine, SOURCE_VARIABLE: "1", "PIP_INDEX_URL": SECRET}).variables)


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """Make packages whose code looks for what is the user's, in a folder that pip finds; return what they find."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MACHINE_SECRET", "1")
    (tmp_path / "home" / ".aws").mkdir(parents=True)
    (tmp_path / "home" / ".aws" / "credentials").write_text("secret")
    found, links = tmp_path / "found", tmp_path / "links"
    found.mkdir()
    code = f"""
        import os
        for name, there in [
            ("credentials", os.path.exists({str(tmp_path / "home" / ".aws" / "credentials")!r})),
            ("variable", "MACHINE_SECRET" in os.environ),
            ("ran", True),
        ]:
            if there:
                for folder in ({str(found)!r}, os.environ.get("HOME", "/")):
                    try:
                        open(os.path.join(folder, name), "w").close()
                    except OSError:
                        pass
        """
    source = tmp_path / "localmaker_hostile-1.0"
    source.mkdir()
    setup = (
        textwrap.dedent(code)
        + "from setuptools import setup\nsetup(name='localmaker-hostile', version='1.0', py_modules=[])\n"
    )
    (source / "setup.py").write_text(setup)
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: localmaker-hostile\nVersion: 1.0\n")
    links.mkdir()
    subprocess.run(["tar", "-czf", links / "localmaker_hostile-1.0.tar.gz", "-C", tmp_path, source.name], check=True)
    # A wheel can run code, too: a .pth file is read by every Python that starts in its environment.
    with zipfile.ZipFile(links / "localmaker_quiet-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("quiet.pth", "import quiet\n")
        wheel.writestr("quiet.py", textwrap.dedent(code))
        wheel.writestr(
            "localmaker_quiet-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: localmaker-quiet\nVersion: 1.0\n"
        )
        wheel.writestr(
            "localmaker_quiet-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("localmaker_quiet-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    return lambda: {path.name for path in found.iterdir()}


@pytest.fixture
def own_image(image, tmp_path, monkeypatch):
    """Return the image's environment in a cache of its own, so that nothing hostile stays."""
    prefix = tmp_path / "cache" / "image"
    prefix.parent.mkdir()
    prefix.symlink_to(image.prefix)
    return replace(image, prefix=prefix, base=image)


def test_a_source_package_is_not_built(hostile, own_image):
    with pytest.raises(EnvironmentBuildError, match="No matching distribution found for localmaker-hostile"):
        derived_environment(own_image, "localmaker-hostile==1.0\n")
    assert hostile() == set()


def test_a_direct_url_is_refused(hostile, own_image, tmp_path):
    with pytest.raises(RefusedRequirementsError, match="line 1"):
        derived_environment(own_image, "hostile @ https://example.org/hostile-1.0.tar.gz\n")
    assert list(own_image.prefix.parent.iterdir()) == [own_image.prefix]


def test_a_build_script_sees_nothing_of_the_users(hostile, own_image, monkeypatch):
    monkeypatch.setenv(SOURCE_VARIABLE, "1")
    derived = derived_environment(own_image, "localmaker-hostile==1.0\n")
    assert (derived.site_packages / "localmaker_hostile-1.0.dist-info").is_dir()
    assert hostile() == set()


def test_a_wheel_that_runs_code_runs_it_in_the_sandbox_only(hostile, own_image):
    derived = derived_environment(own_image, "localmaker-quiet==1.0\ntomli-w==1.2.0\n")
    assert (derived.site_packages / "quiet.pth").is_file()
    assert hostile() == set()
    # The code does what it says where nothing holds it.
    subprocess.run([derived.python, "-c", ""], check=True)
    assert {"ran", "credentials", "variable"} <= hostile()
