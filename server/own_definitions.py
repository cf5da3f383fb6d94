"""OneCard's own package: what it knows without any package, as resources that can be read and searched over REST."""

from __future__ import annotations

from mappers import publication
from server.package_reading import KINDS, Package


def own_package() -> Package:
    """Profiles, extensions, Thai lists and concept maps. It takes a second to make: for a thread."""
    found = [each for each in publication.resources() if each["resourceType"] in KINDS]
    found.sort(key=lambda each: KINDS.index(each["resourceType"]))
    return Package(
        publication.NAME,
        str(publication.manifest()["version"]),
        {},
        tuple((f"{each['resourceType']}-{each['id']}.json", each) for each in found),
    )
