"""What `make run` needs on one machine that has nothing: set-up, input, Airflow, and the run itself."""
