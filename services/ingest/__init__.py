"""Ingest: takes registers, roll and calendar, keeps them, and publishes them."""
