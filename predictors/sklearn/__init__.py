"""scikit-learn models: joblib and pickle files, estimators and pipelines."""
