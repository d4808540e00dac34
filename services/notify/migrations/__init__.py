"""The history of notify's tables."""
