"""From data to text, shared by all adapters: literals, layout, names, templates, the code bundle, files on disk."""
