"""The embedded Kubernetes API: HTTPS, SQLite, watches, patches, server-side apply, tables."""
