"""What exact elasticity costs, whether it is exact, and what a training may save."""
