"""The patient's own program: links, grants, readings, requests, over a wallet that nobody else can open."""
