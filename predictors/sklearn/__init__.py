"""scikit-learn models: joblib, pickle and skops files, estimators and pipelines."""
