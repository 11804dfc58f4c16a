"""Real servers for the integration tests: started on free ports, stopped with all they started."""
