"""The embedded Kubernetes API: HTTPS, SQLite, watches, patches, server-side apply, tables.

What belongs here: everything needed to answer the Kubernetes protocol for one machine. What does
not: any knowledge of what the stored objects mean to the engine (that is knative/, mesh/, node/).

The core is framework-free: ``server.ApiServer`` maps a ``Request`` to a ``Response``; Granian
(``app_granian``) and httpx (``transport``) are adapters around it.
"""
