"""The leaderboard: a static site of what the studies of one or many results folders say, by the report's own numbers."""
