"""What the pages inside the Airflow UI share: who may read, headers and errors, templates, charts, numbers as text."""
