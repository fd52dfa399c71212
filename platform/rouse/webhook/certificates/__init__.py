"""Where the webhooks' certificate comes from: made here, made by cert-manager, or files.

Own certificates live in one Secret that all replicas share. What is due is a pure function of the
Secret and the time; who writes first wins, by resourceVersion, and the others take what is there.
"""
