"""Metrics for Prometheus: https://prometheus.io/docs/practices/naming/

Start with `declared`, which every metric is declared with. A process counts its own requests (`counted`); everything
else is read from the database at each scrape (`collectors`, and the collectors of the applications). milo/scraping.py
answers the scrape. This package imports nothing of Milo.
"""
