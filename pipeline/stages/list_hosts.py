"""The hosts of a part of a release, so that a new removal is applied to the parts that hold its host and no other.

It reads the documents once.  It does not depend on the removal list, so it is not run again for a new one.
"""

from __future__ import annotations

from pipeline.draft import Draft
from pipeline.needs import first_part, slices_of_part
from pipeline.stage import Inputs, Stage, StageConfig
from pipeline.stages.identify import DOCUMENTS

HOSTS = "hosts.npy"  # 64-bit marks, sorted


class ListHostsConfig(StageConfig):
    """A host counts with the domains that it lies in."""


def list_hosts(config: ListHostsConfig, inputs: Inputs, draft: Draft) -> None:
    import numpy as np

    from ccnet.removals import host_marks

    name = f"{DOCUMENTS}/{first_part(draft.unit)}.parquet"
    slices = [m for m in inputs.of("filter_documents") if any(artifact.name == name for artifact in m.artifacts)]
    marks = host_marks([inputs.path(found, name) for found in slices])
    np.save(draft.path(HOSTS), marks)
    draft.add({"hosts": len(marks)})


STAGE = Stage(
    name="list_hosts",
    version=1,
    config=ListHostsConfig,
    body=list_hosts,
    needs={"filter_documents": slices_of_part},
    packages=("ada-url", "numpy"),
)
