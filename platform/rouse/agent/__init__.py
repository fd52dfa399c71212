"""The agent of a node: keeps the models on the node's disk that its LocalModelNode asks for.

Here belong deciding what is fetched and what goes (`plan`, pure), running ``python -m
predictors.storage`` for it (`storage`), what the node's pods use (`pods`), serving other nodes
(`peers`), and telling how it went (`report`). Which models a node shall have does not: that is for
`rouse.controllers.localmodel`. How a model is fetched does not either: that is for the process.
"""
