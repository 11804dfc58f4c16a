"""The user's Python, traced once into the IR. Importing the public names of this package costs no pydantic."""
