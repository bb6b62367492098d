"""How one step reads manifests and leaves a manifest; where everything lies.  Never imports Airflow."""
