"""What OneCard claims and how it is shown: claims, official suites, benchmarks, their reports."""
