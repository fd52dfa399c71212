"""The only Kubernetes I/O of the controllers: client, informers, work queues, leases."""
