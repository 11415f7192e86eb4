"""The command line: one command with subcommands for every process and every operation."""
