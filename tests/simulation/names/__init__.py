"""A view for schedules: small, and telling of every fact that was folded into its rows."""
