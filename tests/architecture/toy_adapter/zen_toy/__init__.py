"""An adapter of a distribution of its own, as another team would write one."""
