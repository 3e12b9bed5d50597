"""The supply chain: whose goods are, by one-time keys; what is recalled, ended, in dispute; who is licensed."""
