"""CometBFT as the engine of a consortium: an ABCI 2.0 application over a unix socket, and what runs the two together."""
