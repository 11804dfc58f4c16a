"""The socket that an adapter plugs into."""
