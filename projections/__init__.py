"""The read side: views folded from events, every table of which can be dropped and rebuilt."""
