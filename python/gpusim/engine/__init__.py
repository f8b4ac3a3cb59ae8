"""The event-driven engine: jobs and capacities in, integers out."""
