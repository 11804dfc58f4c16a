"""What differs between two runs, one module for each kind of thing; `query.diff` puts them together."""
