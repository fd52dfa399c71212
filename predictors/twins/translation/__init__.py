"""Fitted estimators as operations of a twin. Nothing here is imported where a twin only serves.

A translator reads what an estimator learned and says by which operations it answers; where a
version of the framework has another formula, it gives several, and the check of agreement picks.
What it does not know it refuses with `UntranslatableError`, never approximates.
"""

from predictors.twins.translation.base import Translated, UntranslatableError
from predictors.twins.translation.originals import Original, translate_original

__all__ = ["Original", "Translated", "UntranslatableError", "translate_original"]
