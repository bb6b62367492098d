"""The Airflow of one checkout on this machine: SQLite, LocalExecutor, loopback only."""
