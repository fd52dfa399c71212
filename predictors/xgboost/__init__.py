"""XGBoost models: native JSON, UBJSON and binary files, and pickled wrappers."""
