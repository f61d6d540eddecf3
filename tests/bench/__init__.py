"""`make bench`: what the bridge costs, as ratios inside one run."""
