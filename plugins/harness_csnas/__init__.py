"""CSNAS's sequential model-based search by Optuna's TPE, and Optuna's TPE as it comes."""
