"""Jobs: where they come from (tables, logs, generators) and what can be said before any simulation."""
