"""Research on shared data: what custodians and analysts compute alike. Needs the extra `research` where numpy is imported."""
