"""What the frameworks of tables share: columns, estimators, their files, and a count of cores.

It imports none of the frameworks, so that each image holds one of them only.
"""
