"""The one generator of synthetic people, for the sample, the benchmarks and the tests.

    people(count, seed)     the neutral model
    bundles(count, seed)    R4 transaction Bundles, one a person
    resources(count, seed)  single R4 resources

Everything is a function of the seed: no clock, no global randomness. Nobody in it exists (`places.py` says why).
"""

from mappers.population.fhir import bundles, resources
from mappers.population.life import UNTIL, households, people

__all__ = ["UNTIL", "bundles", "households", "people", "resources"]
