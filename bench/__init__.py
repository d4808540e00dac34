"""What the parts cost: each bench measures rivals side by side in one run and prints ratios."""
