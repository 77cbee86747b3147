"""How well proxies, and what is made of them, find good archs."""
