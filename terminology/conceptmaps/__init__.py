"""Concept maps between Thai codes and HL7's, as data."""
