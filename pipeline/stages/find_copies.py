"""Which documents of a language each slice keeps in a release: a text once, in the order of dumps and slices."""

from __future__ import annotations

from pipeline.draft import Draft
from pipeline.needs import slices_of_language
from pipeline.shared_settings import DedupMemory, NearDuplicates
from pipeline.stage import Inputs, Stage
from pipeline.stages.filter_perplexity import MARKS
from pipeline.stages.identify import DOCUMENTS


class FindCopiesConfig(NearDuplicates, DedupMemory):
    """Exact copies are found by 64 bits a text; near-duplicates, where asked for, by reading the texts."""


def find_copies(config: FindCopiesConfig, inputs: Inputs, draft: Draft) -> None:
    from ccnet.release import find_copies as find

    language = draft.unit
    marks, documents, outputs = [], [], []
    for manifest in inputs.of("filter_documents"):
        names = {artifact.name for artifact in manifest.artifacts}
        if (name := f"{MARKS}/{language}.marks") in names:
            marks.append(inputs.path(manifest, name))
            outputs.append(draft.path(stays_of(manifest.unit)))
            if config.near_duplicates:
                documents.append(inputs.path(manifest, f"{DOCUMENTS}/{language}.parquet"))
    memory_bytes = int(config.dedup_memory_gib * 2**30)
    draft.add(find(marks, outputs, documents, near_duplicates=config.near_duplicates, memory_bytes=memory_bytes))


def stays_of(unit: str) -> str:
    """The artifact for one slice, CC-MAIN-2019-35/00000-of-00002."""
    return f"{unit}.npy"


STAGE = Stage(
    name="find_copies",
    version=1,
    config=FindCopiesConfig,
    body=find_copies,
    needs={"filter_documents": slices_of_language},
    packages=("numpy", "rensa"),
)
