"""Which requirements are installed, with which of the machine's settings, and where: in the sandbox, wheels only."""

import subprocess
import textwrap
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from localmaker.images.environments import EnvironmentBuildError, derived_environment
from localmaker.images.installer import installer_of_builds, installer_of_jobs
from localmaker.images.requirements import (
    SOURCE_VARIABLE,
    RefusedRequirementsError,
    Requirements,
    is_self_contained,
    read,
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
        ("--index-url file:///opt/ml/simple\nx", False),
        ("x-1.0-py3-none-any.whl", False),
        ("wheels/x-1.0.tar.gz", False),
        ("https://example.org/x.zip", True),
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
        "--no-bin :all:",
        "--pre --no-binary :all:",
        "--pre -e git+http://example.org/x",
        "--only-binary=:none:",
        "--index-url https://example.org/simple --no-binary=:all:",
        "--index-url=https://example.org/'--no-binary=:all:'",
        "-ihttps://example.org/simple",
        "${PIP_INDEX_URL}/x.tar.gz",
        "--extra-index-url http://example.org/x?${PIP_INDEX_URL}",
        "--extra-index-url http://example.org/x?$PIP_INDEX_URL",
        "x --config-settings=a=b",
        "x --no-binary=:all:",
        "x; python_version > 'a --no-binary=:all:'",
        "x===1/../../wheels/x.tar.gz",
        "wheels/x",
        "-r other.txt",
        "x.tar.gz",
        "?",
    ],
)
def test_what_is_no_wheel_of_an_index_is_refused_with_its_line(line):
    with pytest.raises(RefusedRequirementsError) as refused:
        read(f"# first\nnumpy \\\n  --hash=sha256:{'0' * 64}\n\n{line}  # last\n")
    assert str(refused.value).startswith("requirements.txt, line 5: ")
    assert SOURCE_VARIABLE in str(refused.value)
    assert "word" not in str(refused.value)


@pytest.mark.parametrize("before", ["# a comment\\", "  # a comment \\", "numpy \\\n# a comment\\"])
def test_a_comment_does_not_hide_the_line_after_it(before):
    with pytest.raises(RefusedRequirementsError, match="git"):
        read(f"{before}\ngit+https://example.org/x.git\n")


HASH = f"--hash=sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("line", "written", "names_index"),
    [
        ("numpy", "numpy", False),
        ("pandas[excel]>=2,<3 ; python_version > '3'", 'pandas[excel]<3,>=2 ; python_version > "3"', False),
        (f"numpy==1.0 \\\n {HASH} \\\n {HASH}", f"numpy==1.0 {HASH} {HASH}", False),
        ("num\\\npy", "numpy", False),
        ("a_b==1.*", "a-b==1.*", False),
        ("--pre", "--pre", False),
        ("--only-binary :all:", "--only-binary=:all:", False),
        ("# x @ https://y", "", False),
        ("-i https://u:p@example.org/simple/", "--index-url https://u:p@example.org/simple/", True),
        ("--extra-index-url=https://example.org/", "--extra-index-url https://example.org/", True),
        ("--trusted-host example.org:8080", "--trusted-host example.org:8080", True),
    ],
)
def test_pip_gets_what_was_understood(line, written, names_index):
    assert read(line) == Requirements(f"{written}\n" if written else "", names_index)


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


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        ("bob:word@proxy:3128", "proxy:3128"),
        ("//bob:word@proxy:3128", "//proxy:3128"),
        ("socks5h://bob:wo@rd@proxy:3128/", "socks5h://proxy:3128/"),
        ("http://bob:wo/rd@proxy:3128", "http://proxy:3128"),
        ("http://bob:wo?rd@[::1]:3128", "http://[::1]:3128"),
        ("bob:w:o/rd@proxy", "proxy"),
        ("http://proxy:3128", "http://proxy:3128"),
    ],
)
def test_no_form_of_a_proxy_keeps_its_password(proxy, shown):
    assert installer_of_jobs({"HTTPS_PROXY": proxy}).variables["HTTPS_PROXY"] == shown
    assert installer_of_builds({"HTTPS_PROXY": proxy}, passwords=False).variables["HTTPS_PROXY"] == shown


def test_an_index_may_have_an_at_sign_in_its_path():
    machine = {"PIP_INDEX_URL": "https://me:word@index:443/@team/simple"}
    assert installer_of_jobs(machine).variables["PIP_INDEX_URL"] == "https://index:443/@team/simple"


def test_builds_get_the_users_index_unless_code_of_packages_runs(tmp_path):
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {SECRET}\nfind-links = {tmp_path}\n    /absent\n")
    machine = {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "PATH": "/usr/bin"}
    installer = installer_of_builds(machine)
    assert installer.variables["PIP_INDEX_URL"] == SECRET
    assert installer.variables["PIP_FIND_LINKS"] == f"{tmp_path} /absent"
    assert tmp_path in installer.visible
    assert Path("/absent") not in installer.visible
    for other in (
        installer_of_builds({**machine, SOURCE_VARIABLE: "1"}),
        installer_of_builds({**machine, SOURCE_VARIABLE: "1", "PIP_INDEX_URL": SECRET}),
        installer_of_builds(machine, passwords=False),
    ):
        assert other.variables["PIP_INDEX_URL"] == "https://index/simple"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Make an index in a home directory, with its files beside it; return the variables that name it."""
    home = tmp_path / "home" / "me"
    monkeypatch.setenv("HOME", str(home))
    for folder in ("simple/x", "files", "other", "state"):
        (home / folder).mkdir(parents=True)
    page = '<a href="../../files/x-1.0-py3-none-any.whl#sha256=0">x</a> <a href="https://example.org/y-1.0.whl">y</a>'
    (home / "simple" / "x" / "index.html").write_text(page + ' <a href="../../other/note.txt">z</a>')
    return {"PIP_INDEX_URL": (home / "simple").as_uri(), "PIP_CONFIG_FILE": "/dev/null", "PATH": "/usr/bin"}


def test_a_build_sees_a_local_index_and_the_folders_of_its_files(index):
    home = Path.home()
    assert set(installer_of_builds(index).visible) == {home / "simple", home / "files"}


def test_a_job_sees_nothing_of_a_local_index(index):
    machine = {**index, "PIP_FIND_LINKS": f"{Path.home()} https://example.org/", "PIP_EXTRA_INDEX_URL": "file:/srv"}
    installer = installer_of_jobs(machine)
    assert installer.visible == []
    assert {name for name in installer.variables if name.startswith("PIP_")} == {
        "PIP_DISABLE_PIP_VERSION_CHECK",
        "PIP_FIND_LINKS",
        "PIP_ONLY_BINARY",
    }
    assert installer.variables["PIP_FIND_LINKS"] == "https://example.org/"


@pytest.mark.parametrize("folder", ["/", ".", "..", "state", "state/x"])
def test_nobody_sees_a_home_directory_as_a_whole_or_the_endpoints_state(index, folder):
    home = Path.home()
    (home / "state" / "x").mkdir()
    machine = {**index, "PIP_INDEX_URL": f"file://{home / folder}", "PIP_CERT": str(home / folder)}
    machine["PIP_FIND_LINKS"] = str(home / folder)
    for installer in (
        installer_of_builds(machine, private=[home / "state"]),
        installer_of_jobs(machine, private=[home / "state"]),
    ):
        assert installer.visible == []


def test_a_page_does_not_show_a_home_directory(index):
    (Path.home() / "simple" / "x" / "index.html").write_text('<a href="../../x-1.0-py3-none-any.whl">x</a>')
    assert installer_of_builds(index).visible == [Path.home() / "simple"]


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


def test_a_wheel_does_not_bring_a_source_package_along(hostile, own_image, tmp_path):
    archive = tmp_path / "links" / "localmaker_hostile-1.0.tar.gz"
    with zipfile.ZipFile(archive.with_name("localmaker_carrier-1.0-py3-none-any.whl"), "w") as wheel:
        folder = "localmaker_carrier-1.0.dist-info"
        needs = f"Requires-Dist: localmaker-hostile @ {archive.as_uri()}\n"
        wheel.writestr(f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: localmaker-carrier\nVersion: 1.0\n{needs}")
        wheel.writestr(f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{folder}/RECORD", "")
    with pytest.raises(EnvironmentBuildError, match="not built from source"):
        derived_environment(own_image, "localmaker-carrier==1.0\n")
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


def test_a_build_does_not_lead_the_endpoint_to_other_files(hostile, own_image, tmp_path, monkeypatch):
    monkeypatch.setenv(SOURCE_VARIABLE, "1")
    victim = tmp_path / "victim"
    victim.write_text("the user's")
    source = tmp_path / "localmaker_hostile-1.0"
    script = (source / "setup.py").read_text()
    links = f"""
import glob, os
(prefix,) = (path for path in glob.glob({str(own_image.prefix.parent)!r} + "/*-with-*") if os.path.isdir(path))
for path in ("/complete.json", "/requirements.txt", ".complete", ".lock"):
    try:
        os.symlink({str(victim)!r}, prefix + path)
    except OSError:
        pass
"""
    (source / "setup.py").write_text(f"{links}\n{script}")
    archive = tmp_path / "links" / "localmaker_hostile-1.0.tar.gz"
    subprocess.run(["tar", "-czf", archive, "-C", tmp_path, source.name], check=True)
    derived = derived_environment(own_image, "localmaker-hostile==1.0\n")
    assert (derived.prefix / "complete.json").is_symlink()
    assert victim.read_text() == "the user's"


def test_a_wheel_that_runs_code_runs_it_in_the_sandbox_only(hostile, own_image):
    derived = derived_environment(own_image, "localmaker-quiet==1.0\ntomli-w==1.2.0\n")
    assert (derived.site_packages / "quiet.pth").is_file()
    assert hostile() == set()
    # The code does what it says where nothing holds it.
    subprocess.run([derived.python, "-c", ""], check=True)
    assert {"ran", "credentials", "variable"} <= hostile()
