"""Resolve pyproject.toml into requirements.txt and requirements-dev.txt, keeping the versions that stand.

    .venv/bin/python -m embedded.pins

requirements-dev.txt begins with `-r requirements.txt` and holds only what that file does not, so one environment
of a clean checkout has both.  torch brings the CUDA libraries that it wants itself.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from embedded.install import ROOT, VENV, run

RUNTIME, DEVELOPMENT = ROOT / "requirements.txt", ROOT / "requirements-dev.txt"
HEADER = "# Exact versions that are tested together; made from pyproject.toml: python -m embedded.pins\n"
LEFT_OUT = re.compile(r"nvidia-|cuda-|triton==|.*sys_platform == '(?:win32|emscripten)'$")


def resolve(extras: tuple[str, ...], standing: str) -> list[str]:
    """The pins of pyproject.toml with these extras; `standing` are pins to keep where they still fit."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "pins.txt"
        target.write_text(standing)
        uv = [str(VENV / "bin" / "uv"), "pip", "compile", "--quiet", "--universal", "--no-annotate", "--no-header"]
        options = [option for extra in extras for option in ("--extra", extra)]
        run([*uv, *options, "--output-file", str(target), str(ROOT / "pyproject.toml")])
        return [line for line in target.read_text().splitlines() if not LEFT_OUT.match(line)]


def main() -> None:
    runtime_before, development_before = RUNTIME.read_text(), DEVELOPMENT.read_text()
    runtime = resolve(("airflow",), runtime_before)
    both = resolve(
        ("airflow", "dev"), "\n".join(runtime) + "\n" + development_before.replace("-r requirements.txt", "")
    )
    if moved := sorted(set(runtime) - set(both)):
        raise SystemExit(f"development tools ask for other versions than the product's: {', '.join(moved)}")
    RUNTIME.write_text(HEADER + "\n".join(runtime) + "\n")
    DEVELOPMENT.write_text(HEADER + "-r requirements.txt\n" + "\n".join(sorted(set(both) - set(runtime))) + "\n")


if __name__ == "__main__":
    main()
