"""What lies in deploy/ is held against the code, and by systemd's own tools where they are installed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.cli.running import how_it_is, works
from bridge.cli.supervising import PERIOD_SECONDS
from bridge.errors import StoreError
from bridge.scheduler import GRACE_SECONDS
from bridge.settings import Settings, reference
from tests.system.conftest import COMMAND, PATIENCE, ROOT, Bridge, Simulator
from tests.system.test_readiness import BULK
from tests.system.test_readiness import Bridge as InProcess
from tests.unit.test_docs import EVERYWHERE, GROUPS, OPTION, commands

DEPLOY = ROOT / "deploy"
SERVICES = ("bridge.service", "bridge-report.service", "bridge-backup.service")
TIMERS = ("bridge-report.timer", "bridge-backup.timer")
FILES = sorted(path for path in DEPLOY.iterdir() if path.is_file() and path.name != ".gitignore")
PAGES = [path for path in FILES if path.suffix == ".md"]
SETTINGS = {name for name, _, _ in reference()}
KEYS = ("leadbyte__key", "leadsquared__access_key", "leadsquared__secret_key")
EXPOSURE = 1.5
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed here"
)


def unit(name: str) -> list[tuple[str, str]]:
    """Every setting of a unit, in its order."""
    lines = (DEPLOY / name).read_text(encoding="utf-8").splitlines()
    return [
        (key, value)
        for key, found, value in (line.partition("=") for line in lines)
        if found and key[0] != "#"
    ]


def of(name: str, key: str) -> list[str]:
    return [value for each, value in unit(name) if each == key]


def manifests(name: str) -> dict[str, Any]:
    """Each object of a file for Kubernetes, by its kind."""
    return {one["kind"]: one for one in yaml.safe_load_all((DEPLOY / name).read_text(encoding="utf-8"))}


# units


@pytest.fixture
def runnable(tmp_path: Path) -> Path:
    """The units, with a program that is there in place of the one that is not installed here."""
    for name in (*SERVICES, *TIMERS):
        text = (DEPLOY / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/opt/bridge/bin/bridge", sys.executable))
    return tmp_path


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_units(runnable: Path) -> None:
    units = [runnable / name for name in (*SERVICES, *TIMERS)]
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=PATIENCE
    )
    assert (told.returncode, told.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_systemd_rates_the_exposure_of_each_service_low(name: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", DEPLOY / name]
    told = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    (rated,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", told.stdout)
    assert float(rated) <= EXPOSURE


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_the_same_user_with_the_same_rights_and_directory(name: str) -> None:
    def rights(each: str) -> list[tuple[str, str]]:
        own = {"RestrictAddressFamilies", "PrivateNetwork"}
        found = unit(each)
        return [
            pair for pair in found[found.index(("LimitCORE", "0")) :] if pair[0] not in own | {"WantedBy"}
        ]

    assert rights(name) == rights("bridge.service")
    assert (of(name, "DynamicUser"), of(name, "User")) == (["yes"], ["bridge"])
    assert of(name, "StateDirectory")[0].split()[0] == "bridge"
    assert of(name, "StateDirectoryMode") == ["0700"]
    assert of(name, "EnvironmentFile") == ["/etc/bridge/bridge.env"]


def test_only_the_service_is_given_keys_and_the_network() -> None:
    given = {name: len(of(name, "LoadCredential")) for name in SERVICES}
    assert given == {"bridge.service": len(KEYS), "bridge-report.service": 0, "bridge-backup.service": 0}
    assert [of(name, "PrivateNetwork") for name in SERVICES] == [[], ["yes"], ["yes"]]


def test_the_service_says_when_it_is_up_and_has_time_for_its_watchdog_and_its_end() -> None:
    assert of("bridge.service", "Type") == ["notify"]
    assert float(of("bridge.service", "WatchdogSec")[0]) >= 4 * PERIOD_SECONDS
    assert float(of("bridge.service", "TimeoutStopSec")[0]) >= 3 * GRACE_SECONDS


def test_a_wrong_setting_is_not_tried_again() -> None:
    assert of("bridge.service", "Restart") == ["on-failure"]
    assert of("bridge.service", "RestartPreventExitStatus") == ["2"]


@pytest.mark.parametrize("name", TIMERS)
def test_a_timer_starts_the_service_of_its_name(name: str) -> None:
    assert name.replace(".timer", ".service") in SERVICES
    assert of(name, "WantedBy") == ["timers.target"]


def test_a_command_by_hand_gets_the_rights_of_the_service_and_its_arguments_whole(tmp_path: Path) -> None:
    for name, does in (
        ("systemctl", f'cat "{DEPLOY}/bridge.service"'),
        ("systemd-run", 'printf "%s\\n" "$@"'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    told = subprocess.run(
        [DEPLOY / "bridge", "show", "a b", "", "*"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    given = [tuple(line.removeprefix("--property=").split("=", 1)) for line in told if "--property=" in line]
    others = {"Type", "NotifyAccess", "ExecStart", "TimeoutStartSec", "TimeoutStopSec", "WatchdogSec"}
    others |= {"Restart", "RestartSec", "RestartPreventExitStatus", "KillSignal", "KillMode"}
    service = unit("bridge.service")
    service = service[service.index(("Type", "notify")) : service.index(("WantedBy", "multi-user.target"))]
    assert given == [pair for pair in service if pair[0] not in others]
    assert told[-5:] == ["/opt/bridge/bin/bridge", "show", "a b", "", "*"]


@pytest.mark.parametrize(
    ("code", "told"), [(0, ""), (1, ""), (75, ""), (130, ""), (203, "journalctl"), (243, "key file")]
)
def test_a_command_by_hand_that_systemd_could_not_start_says_so(tmp_path: Path, code: int, told: str) -> None:
    for name, does in (("systemctl", "echo [Service]"), ("systemd-run", f"exit {code}")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([DEPLOY / "bridge", "check"], env=path, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert (told in done.stderr) if told else done.stderr == ""


# the service and its supervisor


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket of a supervisor."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(PATIENCE)
        yield ear


def heard(ear: socket.socket, wanted: str) -> list[str]:
    """What is heard up to the message that holds this line, that one too; its lines."""
    while wanted not in (lines := ear.recv(4096).decode().split("\n")):
        pass
    return lines


def test_systemd_is_told_that_the_service_is_up_and_works_and_stops(
    bridge: Bridge, simulator: Simulator, ear: socket.socket
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    told = {"NOTIFY_SOCKET": ear.getsockname(), "WATCHDOG_USEC": "200000", "BRIDGE_SERVER__LISTEN": listen}
    status = "STATUS=working; leadbyte up, leadbyte-updates up, leadsquared up, leadsquared-async up"
    with bridge.start("run", env=told) as service:
        assert ear.recv(4096).decode().split("\n") == ["READY=1", status]
        with urllib.request.urlopen(f"http://{listen}/readyz", timeout=PATIENCE) as ready:
            assert json.load(ready)["status"] == "ready"
        assert [heard(ear, "WATCHDOG=1") for _ in range(3)] == [["WATCHDOG=1", status]] * 3
        simulator.world.leadbyte_keys.clear()
        bridge.track("ac1e0206-6d6fd2fa-62ce91e7-ba33-5cc458e6")
        denied = status.replace("leadbyte up", "leadbyte denied")
        assert heard(ear, denied) == ["WATCHDOG=1", denied], (
            "a key that is refused is no reason to start again"
        )
        service.process.send_signal(signal.SIGTERM)
        assert heard(ear, "STOPPING=1") == ["STOPPING=1", "STATUS=finishing what is in flight"]
        assert service.finished().code == 0


def test_a_drain_is_told_of_too(bridge: Bridge, ear: socket.socket) -> None:
    assert bridge.drain(NOTIFY_SOCKET=ear.getsockname()).code == 0
    assert ear.recv(4096).startswith(b"READY=1\n")
    assert heard(ear, "STOPPING=1")


def test_a_stage_that_failed_is_kept_from_the_watchdog_and_a_full_disk_is_not(tmp_path: Path) -> None:
    async def main() -> list[tuple[bool, str]]:
        async with InProcess(tmp_path, BULK).up() as (service, _):
            machine = service.machine
            with machine.desk._counted():
                found = [(works(machine), how_it_is(service))]
            machine.stages[-1].crew.trouble = StoreError("inside")
            return [*found, (works(machine), how_it_is(service))]

    (full, failed) = asyncio.run(main())
    assert full[0]
    assert full[1].startswith("waiting for room on the disk; leadbyte up, ")
    assert failed == (False, "a stage has failed; the log says why")


# settings, commands, files


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    named = set(re.findall(r"\bBRIDGE_[A-Z]\w*", path.read_text(encoding="utf-8")))
    assert named <= SETTINGS | {"BRIDGE_PORT"}, "and one that Kubernetes would set"


def test_every_key_is_named_like_its_setting() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    loaded = re.findall(
        r"LoadCredential=(\w+):/etc/bridge/secrets/(\w+)", (DEPLOY / "bridge.service").read_text()
    )
    assert all(name == file for name, file in loaded)
    assert tuple(services["secrets"]) == KEYS
    assert {name for name, _ in loaded} > set(KEYS)
    assert {f"BRIDGE_{name.upper()}" for name, _ in loaded} <= SETTINGS


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_command_of_a_page_exists_with_its_options(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("    ")]
    code = [*lines, *re.findall(r"`([^`\n]+)`", text)]
    known = commands()
    for line in code:
        for name, rest in re.findall(r"(?:^|[ '/])bridge (?!(?:bridge|sh)\b)([a-z]+)(.*)", line):
            if name in GROUPS:
                continue
            assert name in known, line
            assert set(OPTION.findall(re.split(r"[|&;)]", rest)[0])) <= known[name] | EVERYWHERE, line


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_file_of_the_project_that_a_command_names_exists(path: Path) -> None:
    named = re.findall(r"(?<![\w./-])((?:deploy|mappings)/[\w.*/-]+)", path.read_text(encoding="utf-8"))
    missing = [name for name in named if not list(ROOT.glob(name)) and not name.startswith("deploy/secrets")]
    assert missing == []


@pytest.mark.parametrize(
    "name",
    [
        "systemd",
        "container",
        "kubernetes",
        "operating",
        "monitoring",
        "backup",
        "upgrade",
        "privacy",
        "verdicts",
    ],
)
def test_each_page_is_found_from_the_first(name: str) -> None:
    assert f"({name}.md)" in (DEPLOY / "README.md").read_text(encoding="utf-8")


def test_the_port_is_the_one_that_the_bridge_listens_on() -> None:
    port = int(Settings().server.listen.rpartition(":")[2])
    container = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    assert f"EXPOSE {port}\n" in container
    assert f"port {port}" in (DEPLOY / "README.md").read_text(encoding="utf-8")
    assert manifests("kubernetes.yaml")["Service"]["spec"]["ports"][0]["port"] == port


# container


def containerfile() -> list[tuple[str, str]]:
    """Every instruction, lines that go on joined."""
    text = re.sub(r"\\\n", " ", (DEPLOY / "Containerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def test_both_stages_stand_on_one_base_that_is_pinned() -> None:
    steps = containerfile()
    assert [rest for word, rest in steps if word == "FROM"] == ["${BASE} AS build", "${BASE}"]
    (base,) = (rest for word, rest in steps if word == "ARG")
    pinned = re.fullmatch(r"BASE=python:(\d+)\.(\d+)\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)
    assert pinned
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert (int(pinned[1]), int(pinned[2])) >= tuple(map(int, wanted.removeprefix(">=").split(".")))


def test_the_image_runs_as_nobody_and_says_how_it_is() -> None:
    steps = containerfile()
    last = dict(steps[max(n for n, step in enumerate(steps) if step[0] == "FROM") :])
    assert (last["USER"], last["VOLUME"], last["STOPSIGNAL"]) == ("10001:10001", "/var/lib/bridge", "SIGTERM")
    assert (last["ENTRYPOINT"], last["CMD"]) == ('["bridge"]', '["run"]')
    assert "/healthz" in last["HEALTHCHECK"]


def test_the_program_of_the_image_is_without_pip_and_its_scripts() -> None:
    (last,) = (rest for word, rest in containerfile() if word == "RUN" and "rm -rf" in rest)
    assert {"pip", "pip-*.dist-info", "/opt/bridge/bin/pip*"} <= set(last.split())


def test_only_what_the_build_copies_is_let_into_it() -> None:
    copied = {
        name
        for word, rest in containerfile()
        if word == "COPY" and not rest.startswith("--from")
        for name in rest.split()[:-1]
    }
    rules = (DEPLOY / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [rule for rule in rules if not rule.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=PATIENCE)
    (made,) = directory.glob("*.whl")
    return made


def test_the_wheel_holds_every_module(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")}
    assert held == {path.relative_to(ROOT).as_posix() for path in (ROOT / "bridge").rglob("*.py")}


def test_who_has_only_the_wheel_has_the_example_mappings(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    (tmp_path / "empty").mkdir()

    def told(*more: str) -> str:
        command = [*COMMAND, "mapping", "example", *more]
        environment = {"PYTHONPATH": str(tmp_path / "installed")}
        where = {"cwd": tmp_path / "empty", "env": environment}
        return subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=PATIENCE, **where
        ).stdout

    mappings = ROOT / "mappings"
    names = ["leadbyte-to-leadsquared", *sorted(path.stem for path in (mappings / "examples").iterdir())]
    assert [line.split()[0] for line in told().splitlines()[1:]] == names
    for name in names[:2]:
        (path,) = mappings.rglob(f"{name}.yaml")
        assert told(name) == path.read_text(encoding="utf-8")


def test_every_library_is_locked_by_hash() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = re.findall(r"^([\w.-]+)==\S.*(?:\n    --hash=sha256:[0-9a-f]{64}.*)+", lock, re.MULTILINE)
    assert len(locked) == len(re.findall(r"^[\w.-]+==", lock, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    assert {re.split(r"[<>=]", each)[0].lower() for each in wanted} <= {name.lower() for name in locked}


def test_compose_gives_the_service_no_more_than_it_needs() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    (service,) = compose["services"].values()
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == "10001:10001"
    assert tuple(service["secrets"]) == tuple(compose["secrets"])
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert (ROOT / "deploy" / service["build"]["context"] / service["build"]["dockerfile"]).exists()
    named = {volume.partition(":")[0] for volume in service["volumes"] if not volume.startswith(".")}
    assert named == set(compose["volumes"])
    (told,) = (rest for word, rest in containerfile() if word == "HEALTHCHECK")
    assert service["healthcheck"]["test"] == ["CMD", *json.loads(told[told.index("[") :])]
    assert not any(re.search(r"\s", word) for word in service["healthcheck"]["test"])
    assert float(service["stop_grace_period"].removesuffix("s")) >= 3 * GRACE_SECONDS
    assert not any("KEY" in name or "TOKEN" in name for name in service["environment"])


# kubernetes


def confined(pod: dict[str, Any]) -> bool:
    (container,) = pod["containers"]
    whole, own = pod["securityContext"], container["securityContext"]
    return (
        whole["runAsNonRoot"]
        and whole["runAsUser"] == whole["runAsGroup"] == whole["fsGroup"] == 10001
        and own
        == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        and pod["automountServiceAccountToken"] is pod["enableServiceLinks"] is False
    )


def test_kubernetes_runs_one_confined_pod_that_alone_has_the_disk() -> None:
    spec = manifests("kubernetes.yaml")["StatefulSet"]["spec"]
    assert spec["replicas"] == 1
    assert confined(spec["template"]["spec"])
    assert [claim["spec"]["accessModes"] for claim in spec["volumeClaimTemplates"]] == [
        ["ReadWriteOncePod"]
    ] * 2
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] >= 3 * GRACE_SECONDS


def test_kubernetes_restarts_it_for_its_own_sake_only_and_always_lets_callers_in() -> None:
    (container,) = manifests("kubernetes.yaml")["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    probes = {name: probe["httpGet"]["path"] for name, probe in container.items() if name.endswith("Probe")}
    assert probes == dict.fromkeys(("startupProbe", "livenessProbe", "readinessProbe"), "/healthz")


def test_what_kubernetes_mounts_and_selects_is_there() -> None:
    found = manifests("kubernetes.yaml")
    spec = found["StatefulSet"]["spec"]
    pod = spec["template"]["spec"]
    volumes = {one["name"] for one in pod["volumes"]} | {
        one["metadata"]["name"] for one in spec["volumeClaimTemplates"]
    }
    assert {one["name"] for one in pod["containers"][0]["volumeMounts"]} == volumes
    labels = spec["template"]["metadata"]["labels"]
    assert labels == spec["selector"]["matchLabels"] == found["Service"]["spec"]["selector"]
    assert labels == found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]
    assert spec["serviceName"] == found["Service"]["metadata"]["name"]


def test_the_pod_for_a_restore_has_the_same_disks_and_no_more_rights() -> None:
    pod = manifests("kubernetes-restore.yaml")["Pod"]["spec"]
    spec = manifests("kubernetes.yaml")["StatefulSet"]["spec"]
    assert confined(pod)
    claims = {one["persistentVolumeClaim"]["claimName"] for one in pod["volumes"]}
    assert claims == {f"{one['metadata']['name']}-bridge-0" for one in spec["volumeClaimTemplates"]}
    mounted = [
        one
        for one in spec["template"]["spec"]["containers"][0]["volumeMounts"]
        if one["name"] in ("state", "backups")
    ]
    assert pod["containers"][0]["volumeMounts"] == mounted
    assert pod["terminationGracePeriodSeconds"] <= 5, "its sleep does not heed SIGTERM"


def test_every_file_speaks_of_the_same_version_of_the_image() -> None:
    tags = {
        tag for path in FILES for tag in re.findall(r"image: bridge:(\S+)", path.read_text(encoding="utf-8"))
    }
    assert tags == {tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]}
