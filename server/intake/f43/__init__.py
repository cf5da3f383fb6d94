"""Hospital data as 43 files: into the store and out again, by `mappers.f43` and the checks of REST."""
