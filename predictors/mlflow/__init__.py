"""MLflow models: flavors served by their own predictors where there is one, else pyfunc."""
