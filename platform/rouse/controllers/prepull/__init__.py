"""Images on the nodes of each pool before a pod needs them: one DaemonSet per node pool.

Here belong which images (`used`, `choice`), the DaemonSet (`daemonset`) and how far it is
(`progress`), all pure, and the reconcile (`reconciler`). `hold` is what its containers run.
"""
