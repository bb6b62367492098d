"""What one run leaves for another; each event's partition key is the name of what was made."""

from __future__ import annotations

from airflow.sdk import Asset

DUMP = Asset(name="xlmr_dump", uri="xlmr://dump")  # key: CC-MAIN-2019-35
RELEASE = Asset(name="xlmr_release", uri="xlmr://release")  # key: the release's name, and so on
VOCABULARY = Asset(name="xlmr_vocabulary", uri="xlmr://vocabulary")
CHECKPOINT = Asset(name="xlmr_checkpoint", uri="xlmr://checkpoint")
SCORES = Asset(name="xlmr_scores", uri="xlmr://scores")
