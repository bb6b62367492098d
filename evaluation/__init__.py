"""Benchmarks in their official formats, fine-tuning, official metrics, and the report."""
