"""The HTTP API: requests become commands and queries, refusals become problem documents."""
