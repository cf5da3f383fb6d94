import pytest

from terminology.service import TerminologyService


@pytest.fixture(scope="session")
def official() -> TerminologyService:
    """The service as it starts; tests must not add to it."""
    return TerminologyService()


@pytest.fixture
def service() -> TerminologyService:
    """A fresh service to add resources to."""
    return TerminologyService()
