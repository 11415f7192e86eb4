"""What was answered to commands that touch several streams, to be repeated when they are."""
