"""A folder of models: what is in it, and making a `Model` of each.

Belongs here: MLServer's and Triton's layouts, versions, the states of models. Does not belong
here: the endpoints (router) and answering requests (data plane).
"""
