"""What idle policies cost: cold calls against memory kept warm, and joules."""
