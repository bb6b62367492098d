"""What people see and use inside Airflow."""
