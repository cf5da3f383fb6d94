"""One contract (`contract.py`), two engines (`embedded/`, `mongo/`)."""
