"""Risk's history of its tables."""
