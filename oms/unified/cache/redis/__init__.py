"""A cache in Redis: names, envelope, clients, and what happens while the server is away."""
