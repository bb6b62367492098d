"""Which paragraphs each slice of a dump must lose, in bounded memory, from one range of the hashes alone."""

from __future__ import annotations

from pipeline.draft import Draft
from pipeline.manifest import Manifest
from pipeline.needs import dumps_so_far, first_part
from pipeline.shared_settings import DedupMemory, DedupScope
from pipeline.stage import Inputs, Stage
from pipeline.stages.hash_paragraphs import hashes_of


class FindDuplicatesConfig(DedupScope, DedupMemory):
    """dump is CCNet's rule; with global another dump's documents are never read, only its hashes."""


def find_duplicates(config: FindDuplicatesConfig, inputs: Inputs, draft: Draft) -> None:
    """The dump's own hashes come last: what an earlier dump has goes, whichever of the earlier ones has it."""
    from ccnet.duplicates import find_duplicates as find

    crawl, name = draft.unit.split("/")
    index, ranges = map(int, name.removeprefix("range-").split("-of-"))
    [own] = [manifest for manifest in inputs.of("gather_hashes") if manifest.unit == crawl]
    earlier = [manifest for manifest in inputs.of("gather_hashes") if manifest is not own]
    files = [artifact for manifest in (*earlier, own) for artifact in _range_of(manifest, index)]
    outputs = [draft.path(losses_of(first_part(artifact))) for _, artifact in _range_of(own, index)]
    draft.add(
        find(
            [inputs.path(manifest, artifact) for manifest, artifact in files],
            outputs,
            keep_first=config.dedup == "global",
            memory_bytes=int(config.dedup_memory_gib * 2**30),
            part=(index, ranges),
        )
    )


def _range_of(manifest: Manifest, index: int) -> list[tuple[Manifest, str]]:
    names = sorted(artifact.name for artifact in manifest.artifacts)
    return [(manifest, name) for name in names if name.endswith(f"/{hashes_of(index)}")]


def losses_of(slice_name: str) -> str:
    """The artifact for one slice, 00000-of-00002."""
    return f"{slice_name}.duplicates"


STAGE = Stage(
    name="find_duplicates",
    version=3,
    config=FindDuplicatesConfig,
    body=find_duplicates,
    needs={"gather_hashes": dumps_so_far},
    packages=("numpy",),
)
