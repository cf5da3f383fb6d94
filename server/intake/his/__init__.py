"""Hospital databases read as rows of the 43 files: JHCIS and HOSxP, live or from a dump, into the importer of those."""
