"""The pages of a member's node."""
