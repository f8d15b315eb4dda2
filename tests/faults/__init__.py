"""The fault matrix: one module for each row, one oracle for all of them."""
