"""What OneCard knows of FHIR and of codes before a store is opened: for the server and for `onecard validate`."""

from __future__ import annotations

from fhir_profiles.definitions import Definitions
from fhir_profiles.thai import add_to
from server.config import SettingRefused, Settings
from terminology.service import TerminologyService
from terminology.storage import open_folder


def knowledge(settings: Settings) -> tuple[Definitions, TerminologyService]:
    """R4 with the Thai profiles, and all code systems with those that `onecard terminology load` put into the data
    folder.   Raises: SettingRefused (a broken file of a code system)."""
    try:
        loaded = open_folder(settings.terminology_folder)
    except (OSError, ValueError) as error:
        raise SettingRefused(f"{settings.terminology_folder}: {error}") from error
    return add_to(Definitions()), TerminologyService(loaded)
