"""Brings models to servers that do not fetch for themselves: the init container of their pods.

Here belongs publishing what was fetched. How a location is fetched does not: predictors fetch the
same way (`predictors.storage`).
"""
