"""The leaderboard: a static site of what studies say, by the report's own numbers."""
