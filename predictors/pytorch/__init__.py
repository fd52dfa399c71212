"""PyTorch: programs, and classes of the user with their weights.

Belongs here: devices, weights, threads (which other frameworks of torch use too), reading each
format, and the tensors that go in and come out. Does not belong here: tokenizers, pipelines and
text generation, and anything that knows the platform.
"""
