"""Who orders transactions: embedded, follower, CometBFT."""
