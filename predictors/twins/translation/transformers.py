"""scikit-learn's transformers of numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from predictors.serving.tensors import Array
from predictors.twins.artifact import Operation
from predictors.twins.translation.base import UntranslatableError, kind, operation, reals

__all__ = ["transforming"]


def transforming(transformer: Any) -> list[Operation]:
    """The operations of ``transformer.transform``. Raises `UntranslatableError`."""
    if transformer is None or transformer == "passthrough":
        return []
    name = kind(transformer)
    if name == "Pipeline":
        return [each for _, step in transformer.steps for each in transforming(step)]
    make = _TRANSFORMERS.get(name)
    if make is None:
        if hasattr(transformer, "get_support"):
            return [operation("take", columns=np.flatnonzero(transformer.get_support()))]
        raise UntranslatableError(f"there is no translation of {name}")
    return make(transformer)


def _function(transformer: Any) -> list[Operation]:
    if transformer.func is not None:
        raise UntranslatableError("FunctionTransformer has a function of the user's own")
    return []


def _standard(scaler: Any) -> list[Operation]:
    made = []
    if scaler.with_mean:
        made.append(operation("minus", by=reals(scaler, "mean_")))
    if scaler.with_std:
        made.append(operation("over", by=reals(scaler, "scale_")))
    return made


def _minmax(scaler: Any) -> list[Operation]:
    made = [
        operation("times", by=reals(scaler, "scale_")),
        operation("plus", by=reals(scaler, "min_")),
    ]
    if scaler.clip:
        low, high = scaler.feature_range
        made.append(operation("clip", low=float(low), high=float(high)))
    return made


def _maxabs(scaler: Any) -> list[Operation]:
    made = [operation("over", by=reals(scaler, "scale_"))]
    if getattr(scaler, "clip", False):
        made.append(operation("clip", low=-1.0, high=1.0))
    return made


def _robust(scaler: Any) -> list[Operation]:
    made = []
    if scaler.with_centering:
        made.append(operation("minus", by=reals(scaler, "center_")))
    if scaler.with_scaling:
        made.append(operation("over", by=reals(scaler, "scale_")))
    return made


def _imputer(imputer: Any) -> list[Operation]:
    hole = imputer.missing_values
    if not (isinstance(hole, float) and np.isnan(hole)):
        raise UntranslatableError("SimpleImputer looks for another value than NaN")
    if imputer.add_indicator:
        raise UntranslatableError("SimpleImputer adds indicators")
    values = reals(imputer, "statistics_")
    if np.isnan(values).any():
        raise UntranslatableError("SimpleImputer drops columns that were empty")
    return [operation("impute", values=values)]


def _pca(pca: Any) -> list[Operation]:
    components, mean = reals(pca, "components_"), reals(pca, "mean_")
    offset = mean.reshape(1, -1) @ components.T
    made = [operation("project", weights=components, offset=offset)]
    if pca.whiten:
        scale = np.sqrt(reals(pca, "explained_variance_"))
        made.append(operation("over", by=np.maximum(scale, np.finfo(scale.dtype).eps)))
    return made


def _svd(svd: Any) -> list[Operation]:
    components = reals(svd, "components_")
    return [operation("project", weights=components, offset=np.zeros(len(components)))]


def _polynomial(features: Any) -> list[Operation]:
    powers = np.asarray(features.powers_)
    if len(powers) > 4096:
        raise UntranslatableError(f"PolynomialFeatures makes {len(powers)} columns")
    return [operation("powers", exponents=powers)]


def _categories(encoder: Any) -> list[Array]:
    found = []
    for values in encoder.categories_:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf" or np.isnan(array.astype(np.float64)).any():
            raise UntranslatableError(f"{kind(encoder)} encodes other things than numbers")
        found.append(array.astype(np.float64))
    if getattr(encoder, "_infrequent_enabled", False):
        raise UntranslatableError(f"{kind(encoder)} joins infrequent categories")
    return found


def _onehot(encoder: Any) -> list[Operation]:
    categories = _categories(encoder)
    if encoder.handle_unknown not in ("error", "ignore"):
        raise UntranslatableError(f"OneHotEncoder has handle_unknown={encoder.handle_unknown!r}")
    dropped = [-1] * len(categories)
    if encoder.drop_idx_ is not None:
        dropped = [-1 if index is None else int(index) for index in encoder.drop_idx_]
    strict = encoder.handle_unknown == "error"
    return [operation("onehot", categories=categories, dropped=dropped, strict=strict)]


def _ordinal(encoder: Any) -> list[Operation]:
    categories = _categories(encoder)
    unknown = None
    if encoder.handle_unknown == "use_encoded_value":
        unknown = float(encoder.unknown_value)
        if np.isnan(unknown):
            raise UntranslatableError("OrdinalEncoder encodes unknown values as NaN")
    return [operation("ordinal", categories=categories, unknown=unknown)]


def _column_transformer(transformer: Any) -> list[Operation]:
    names = getattr(transformer, "feature_names_in_", None)
    width = int(transformer.n_features_in_)
    if transformer.transformer_weights:
        raise UntranslatableError("ColumnTransformer has weights")
    spans = transformer.output_indices_
    branches: dict[int, Mapping[str, Any]] = {}
    for name, inner, columns in transformer.transformers_:
        span = spans.get(name, slice(0, 0))
        if (isinstance(inner, str) and inner == "drop") or span.stop == span.start:
            continue
        take = _indices(columns, names, width)
        branches[span.start] = {"take": take, "steps": transforming(inner) or [operation("same")]}
    if not branches:
        raise UntranslatableError("ColumnTransformer drops all columns")
    return [operation("columns", branches=[branches[start] for start in sorted(branches)])]


def _indices(columns: Any, names: Any, width: int) -> Array:
    if isinstance(columns, slice) and not isinstance(columns.start or columns.stop, str):
        return np.arange(width)[columns]
    if not isinstance(columns, Sequence | np.ndarray) or isinstance(columns, str):
        raise UntranslatableError("ColumnTransformer chooses columns in a way not known here")
    chosen = np.asarray(columns)
    if chosen.dtype.kind == "b":
        return np.flatnonzero(chosen)
    if chosen.dtype.kind in "iu":
        return np.asarray(np.arange(width)[chosen])
    if names is None:
        raise UntranslatableError("ColumnTransformer chooses columns by unknown names")
    listed = list(names)
    return np.array([listed.index(each) for each in columns])


_TRANSFORMERS: Final[Mapping[str, Callable[[Any], list[Operation]]]] = {
    "StandardScaler": _standard,
    "MinMaxScaler": _minmax,
    "MaxAbsScaler": _maxabs,
    "RobustScaler": _robust,
    "Normalizer": lambda each: [operation("normalize", norm=each.norm)],
    "Binarizer": lambda each: [operation("binarize", threshold=float(each.threshold))],
    "SimpleImputer": _imputer,
    "PCA": _pca,
    "TruncatedSVD": _svd,
    "PolynomialFeatures": _polynomial,
    "OneHotEncoder": _onehot,
    "OrdinalEncoder": _ordinal,
    "FunctionTransformer": _function,
    "ColumnTransformer": _column_transformer,
}
