"""What the doubles of all clouds are made of: a clock, containers, and faults on demand. Names no cloud."""
