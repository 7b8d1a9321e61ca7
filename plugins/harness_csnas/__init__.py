"""CSNAS's sequential model-based search with Optuna's TPE, and Optuna's TPE by itself."""
