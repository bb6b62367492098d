"""Crawl to corpus: CCNet's and CC-100's steps over text files.  Knows nothing of manifests, stores or Airflow."""
