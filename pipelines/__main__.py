"""`python -m pipelines` is `amalgam`."""

from pipelines.cli import program

if __name__ == "__main__":
    program()
