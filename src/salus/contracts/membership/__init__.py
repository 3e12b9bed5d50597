"""Who belongs to the network, with which keys, and how its members change that and its rules. See `README.md`."""
