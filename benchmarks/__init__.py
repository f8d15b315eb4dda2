"""Where the figures of README.md and docs/ come from: one command each."""
