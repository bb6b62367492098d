"""What several verbs ask for: the deployment, the store, settings."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_origin

import click

from pipeline.deployment_file import DEFAULT_FILE, VARIABLE
from pipeline.errors import BadConfig
from pipeline.json_file import read_json_object

if TYPE_CHECKING:  # their imports take longer than a small corpus
    from pydantic import BaseModel

    from pipeline.deployment import Deployment
    from pipeline.runs import Run, RunSettings
    from pipeline.store import ArtifactStore

Command = TypeVar("Command", bound=Callable[..., Any])

place_options = [
    click.option(
        "--deployment", "deployment_file", type=click.Path(path_type=Path), envvar=VARIABLE,
        help=f"deployment file: where store and inputs are [default: {DEFAULT_FILE}, if it exists]",
    ),
    click.option("--place", "places", multiple=True, metavar="NAME=VALUE", help="set one entry of the deployment file"),
    click.option("--store", metavar="URI", help="object store: file:///folder or s3://bucket/prefix"),
]  # fmt: skip
settings_options = [
    click.option("--settings", "settings_file", type=click.Path(path_type=Path), help="JSON file with settings"),
    click.option(
        "--set", "pairs", multiple=True, metavar="NAME=VALUE", help="set one setting; VALUE is JSON or plain text"
    ),
]
run_options = [
    click.option(
        "--workers", type=click.IntRange(1, 256), default=2, show_default=True, help="processes to run at a time"
    ),
    click.option("--dry-run", is_flag=True, help="list each unit as there or missing, and run nothing"),
]


class NumberRange(click.FloatRange):
    """A number within bounds; NaN is within none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is no number.", param, ctx)
        return number


def refuse_given(options: Iterable[str], why: str) -> None:
    """Raise BadConfig where one of these parameters of the running command was given, and would be ignored."""
    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in options and source is click.core.ParameterSource.COMMANDLINE:
            raise BadConfig(f"{parameter.opts[0]}: {why}")


def with_options(*groups: list[Any]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return decorate


def read_deployment(deployment_file: Path | None, places: tuple[str, ...], store: str | None) -> Deployment:
    """The file, then --place, then --store.  Raises BadConfig."""
    from pipeline.deployment import Deployment

    path = deployment_file or DEFAULT_FILE
    found = Deployment.load(path) if deployment_file or path.exists() else Deployment()
    given = parse_pairs(places, Deployment, "--place")
    values = found.model_dump() | given | ({"store": store} if store else {})
    values["digests"] = {unit: sha256 for unit, sha256 in found.digests.items() if not _replaced(unit, given)}
    return Deployment.parse(values)


def _replaced(unit: str, given: Mapping[str, Any]) -> bool:
    """Whether another source was named for what has this digest."""
    kind = unit.split("/")[0]
    name = {"benchmarks": "benchmark_data"}.get(kind, kind.replace("-", "_"))
    return name in given


def read_settings(run: Run, deployment: Deployment, settings_file: Path | None, pairs: tuple[str, ...]) -> RunSettings:
    """The file, else the deployment's defaults; then --set.  Raises BadConfig."""
    values = (
        read_json_object(settings_file, "settings") if settings_file else dict(deployment.defaults.get(run.name, {}))
    )
    return run.settings.parse(values | parse_pairs(pairs, run.settings, "--set"))


def parse_pairs(pairs: Sequence[str], model: type[BaseModel], option: str) -> dict[str, Any]:
    """NAME=VALUE options; a comma makes a list where the setting is one.  Raises BadConfig."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, given, text = pair.partition("=")
        if not given:
            raise BadConfig(f"{option} {pair!r}: wanted NAME=VALUE")
        field = model.model_fields.get(name)
        found[name] = _value(text, is_list=field is not None and get_origin(field.annotation) is tuple)
    return found


def _value(text: str, *, is_list: bool) -> object:
    try:
        value = json.loads(text)
    except ValueError:
        return [part.strip() for part in text.split(",")] if is_list else text
    return [value] if is_list and not isinstance(value, list) else value


def store_of(where: Mapping[str, Any], uri: str = "") -> ArtifactStore:
    """The store that a whole URI lies in; else the deployment's."""
    from pipeline.store import FileStore, open_store

    if "://" in uri:
        from pipeline.stages import NAMES

        roots = [root for name in NAMES for root, found, _ in [uri.rpartition(f"/{name}/")] if found]
        if roots:
            return open_store(min(roots, key=len))
    store = open_store(read_deployment(**where).store)
    if isinstance(store, FileStore) and not store.folder.is_dir():
        raise BadConfig(f"{store.root}: no such folder: name an existing store with --store")
    return store


def store_to_write(deployment: Deployment) -> ArtifactStore:
    """The deployment's store, which need not be there yet.  Raises BadConfig where it can be none."""
    from pipeline.store import FileStore, open_store

    store = open_store(deployment.store)
    if isinstance(store, FileStore) and store.folder.exists() and not store.folder.is_dir():
        raise BadConfig(f"{store.root}: is a file: wanted a folder, or s3://bucket/prefix")
    return store
