"""What the benchmarks of faults share: nights in forked processes, and the points at which those are killed."""
