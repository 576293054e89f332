"""Benchmarks: each prints a table with the peer, the floor and Tidewatt measured in one run."""
