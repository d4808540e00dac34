"""What every service needs; it knows no service."""
