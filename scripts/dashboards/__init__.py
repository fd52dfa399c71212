"""Grafana's dashboards, written from `boards`: ``python -m scripts.dashboards``.

JSON of Grafana's is long and repeats itself; here a panel is its title, its unit and its queries.
What is written lies in ``manifests/observability/dashboards``; a test holds it to this source.
"""
