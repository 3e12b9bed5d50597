"""A member's sealed records and the keys to them. Start at `vault.Vault`; `sealing` says what every byte is."""
