"""Which release files of the installation can be published now."""

from __future__ import annotations

import logging
from typing import Any

from dags.forms import read_spec, specs
from dags.installation import DEPLOYMENT
from pipeline.build_on import make_plan, named_manifests
from pipeline.errors import FactoryError
from pipeline.manifest import parse_key
from pipeline.runs import RELEASE
from pipeline.store import open_store

log = logging.getLogger(__name__)


def ready_releases() -> list[dict[str, Any]]:
    """For each file whose dumps are all there and that is not published yet: the form of xlmr_release, and the id of
    the run.  Two dumps that end together see the same release: the id lets the second find the first one's run."""
    store = open_store(DEPLOYMENT.store)
    ready = []
    for name in specs():
        try:
            conf = read_spec(name)
            settings = RELEASE.settings.parse(DEPLOYMENT.defaults.get(RELEASE.name, {}) | conf)
            named = named_manifests(RELEASE, settings, DEPLOYMENT, store)
        except FactoryError as error:
            log.info("%s: not yet: %s", name, error)
            continue
        last = make_plan(RELEASE, settings, DEPLOYMENT, store, named).last
        if store.exists(last.key):
            log.info("%s: published already", name)
        else:
            ready.append({"conf": conf, "trigger_run_id": f"ready__{name}__{parse_key(last.key)[2]}"})
    return ready
