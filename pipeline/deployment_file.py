"""How the deployment file is found: named on the command line, by a variable of the environment, or at its place."""

from __future__ import annotations

from pathlib import Path

VARIABLE = "XLMR_DEPLOYMENT"
DEFAULT_FILE = Path("var/deployment.json")  # `make run` and `make up` leave it there
