"""Vocabulary, blocks and masked-LM pretraining of XLM-R encoders.  Runs with torch alone, without Airflow."""
