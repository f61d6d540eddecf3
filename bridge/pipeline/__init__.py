"""The stages. Each claims, decides, calls and records by itself; the store is the only channel between them."""
