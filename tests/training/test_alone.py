"""training/ where only torch, numpy, safetensors and sentencepiece are installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.runs import ENVIRONMENT, ROOT, write_config
from training.vocabulary import Vocabulary

# Installed here beside those four and what they need.
OTHERS = {"transformers", "tokenizers", "huggingface_hub", "google", "pydantic", "pyarrow", "click", "rich", "boto3",
          "requests", "urllib3", "tqdm", "regex", "matplotlib", "scipy", "sklearn", "pandas", "accelerate", "yaml",
          "fasttext", "kenlm", "tensorboard", "ccnet", "pipeline", "evaluation", "embedded"}  # fmt: skip
CODE = f"""
import sys

sys.modules.update(dict.fromkeys({OTHERS!r}))  # None: not to be found
from training.__main__ import main
for arguments in sys.argv[1:]:
    sys.argv = ["training", *arguments.split()]
    status = main()
    if status:
        sys.exit(status)
"""


@pytest.mark.slow
def test_it_trains_and_exports(settings: dict[str, object], vocabulary: Vocabulary, tmp_path: Path) -> None:
    config = write_config(settings | {"events": str(tmp_path / "events")}, tmp_path / "run")
    verbs = [
        f"pretrain --config {config}",
        f"export --checkpoint {tmp_path}/run/final --vocabulary {vocabulary.model} --output {tmp_path}/model",
    ]
    said = subprocess.run(
        [sys.executable, "-c", CODE, *verbs], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr[-2000:]
    assert "tensorboard is not installed: metrics are in metrics.jsonl alone" in said.stderr
    assert not (tmp_path / "events").exists()
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "config.json", "model.safetensors", "sentencepiece.bpe.model", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
