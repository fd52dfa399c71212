"""Twins: fitted models translated once into arithmetic that needs numpy and no framework.

Here belong the translation (`translation`), the check that a twin agrees with its original
(`agreement`), the file it is kept in (`artifact`, `store`), and serving it (`model`, `choosing`).
Only the translation and the check import a framework; serving a twin never does.
"""
