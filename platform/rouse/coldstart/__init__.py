"""Cold starts: the ledger of activations and, later, residency and keep-alive plans. Pure."""
