"""The Models page: checkpoints, their lineage, loss and scores inside the Airflow UI, under its login."""
