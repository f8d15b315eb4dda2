"""Where the seconds go before a first row is encoded: marks in every process of a run, read afterwards."""
