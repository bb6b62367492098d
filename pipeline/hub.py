"""Models of the Hugging Face hub: which commit an id stands for, and its files.

HF_ENDPOINT and HF_TOKEN are read by the library itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from pipeline.errors import BadConfig, BadInput, SourceUnavailable

SCHEME = "hf://"
REPOSITORY = re.compile(r"hf://([\w.-]+(?:/[\w.-]+)?)(?:@([\w./-]+))?/?")
COMMIT = re.compile(r"[0-9a-f]{40}")
CONFIG = "config.json"
WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")  # the first kind that is there
BESIDE = ("*.json", "*.txt", "*.model")  # config and tokenizer; never code


def repository_of(source: str) -> tuple[str, str]:
    """OWNER/NAME and revision ("" for the default one) of hf://OWNER/NAME@REVISION.  Raises BadConfig."""
    found = REPOSITORY.fullmatch(source)
    if found is None:
        raise BadConfig(f"{source!r}: wanted hf://OWNER/NAME, or hf://OWNER/NAME@REVISION")
    return found[1], found[2] or ""


def at_commit(source: str) -> str:
    """hf://OWNER/NAME@COMMIT: what the id stands for now.  Raises BadConfig, BadInput, SourceUnavailable."""
    from huggingface_hub import HfApi

    name, revision = repository_of(source)
    if COMMIT.fullmatch(revision):
        return source
    with _told(source):
        found = HfApi().model_info(name, revision=revision or None, timeout=30)
    return f"{SCHEME}{name}@{found.sha}"


def files_of(source: str) -> list[str]:
    """The names of a model's files.  Raises BadConfig, BadInput, SourceUnavailable."""
    from huggingface_hub import HfApi

    name, revision = repository_of(source)
    with _told(source):
        return list(HfApi().list_repo_files(name, revision=revision or None))


def encoder_files(source: str) -> list[str]:
    """Config, tokenizer and weights among them.  Raises BadInput where one cannot be an encoder's."""
    there = files_of(source)
    weights = next((kind for kind in WEIGHTS if any(fnmatch(file, kind) for file in there)), None)
    if weights is None or CONFIG not in there:
        raise BadInput(f"{source}: no {CONFIG} with {' or '.join(WEIGHTS)}: wanted an encoder's weights")
    return [file for file in there if "/" not in file and any(fnmatch(file, kind) for kind in (weights, *BESIDE))]


def download(source: str, names: Sequence[str], folder: Path) -> None:
    """Bring these files; what an earlier call brought into the folder is not fetched again.

    Raises BadConfig, BadInput, SourceUnavailable.
    """
    from huggingface_hub import hf_hub_download

    model, revision = repository_of(source)
    for name in names:
        with _told(source):
            hf_hub_download(model, name, revision=revision or None, local_dir=folder)


@contextmanager
def _told(source: str) -> Iterator[None]:
    """The library's errors as ours: what another try may mend, and what not."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    unreachable: type[Exception] = next(
        base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError"
    )  # httpx's, of any name
    try:
        yield
    except HFValidationError as error:
        raise BadInput(f"{source}: {error}: wanted hf://OWNER/NAME or hf://NAME") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403, 404):
            raise BadInput(f"{source}: the hub has no such model or revision, or it needs a login (it answers "
                           f"{status}): check the name, or set HF_TOKEN") from error  # fmt: skip
        raise SourceUnavailable(f"{source}: the hub answers {status}: try again later") from error
    except (unreachable, OSError) as error:
        said = str(error).strip().splitlines()
        raise SourceUnavailable(f"{source}: the hub cannot be reached ({said[0] if said else type(error).__name__}): "
                                "try again, or name a folder with the model's files") from error  # fmt: skip
