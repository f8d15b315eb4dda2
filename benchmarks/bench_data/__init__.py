"""Data that benchmarks are measured on: texts, JPEGs and sounds of realistic sizes, drawn from a seed, and weights."""
