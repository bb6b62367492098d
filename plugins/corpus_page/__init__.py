"""The Corpus page: statistics of dumps, releases and languages inside the Airflow UI, under its login."""
