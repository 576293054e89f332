"""The planner beside the literature and its peers, on real hours, jobs and profiles."""
