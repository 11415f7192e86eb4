"""What we keep about shops that is no event: sealed secrets, the push queue, lanes, the inbox of notifications."""
