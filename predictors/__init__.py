"""Model servers. They know nothing of the platform: an image holds a model server and no more."""
