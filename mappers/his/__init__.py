"""Databases of hospital information systems as rows of the 43 files: tables as data, statements, values. Pure."""
