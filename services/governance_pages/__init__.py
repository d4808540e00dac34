"""Templates of the governance documents."""
