"""The admission webhooks of a cluster: what the embedded API does inside itself, over HTTPS.

Here belong the server, its certificates and the AdmissionReview around a decision. The decisions
do not: they are `rouse.api.admission` and `rouse.compiler.podwebhook`, the same on both engines.
"""
