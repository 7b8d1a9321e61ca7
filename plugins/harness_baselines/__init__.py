"""The baselines that a published strategy has to beat."""
