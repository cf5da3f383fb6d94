"""Settings: ONE table, from which come the flags of `onecard serve`, the environment names, the validation and
docs/settings.md.

A setting `max_entries` is `max-entries = ...` in the TOML file, `ONECARD_MAX_ENTRIES` in the environment and
`--max-entries` as a flag; the later of these three wins. A wrong one is refused with the reason: `SettingRefused`.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from server.setting_kinds import (
    BASE_URL,
    DIGITS,
    FILE,
    FOLDER,
    NETWORKS,
    ORIGINS,
    PREFIXES,
    SECONDS,
    SIZE,
    SOURCES,
    STORE,
    TEXT,
    YES_NO,
    ZONE,
    Kind,
    Network,
    number,
    without_password,
)

FHIR_PATH = "/fhir"
"""Where the FHIR API lives on this server; `base_url` is how the world sees it."""


class SettingRefused(ValueError):
    """A setting that cannot be used, with the reason; `onecard` prints it and exits with 2."""


def setting(default: Any, kind: Kind, english: str, thai: str) -> Any:
    return dataclasses.field(default=default, metadata={"kind": kind, "en": english, "th": thai})


# ---------------------------------------------------------------- the table


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    store: str = setting(
        "sqlite:///data/onecard.db",
        STORE,
        "Where resources are kept: sqlite:///PATH (embedded, nothing to install) or mongodb://...",
        "ที่เก็บข้อมูล: sqlite:///PATH (ในเครื่อง ไม่ต้องติดตั้งอะไรเพิ่ม) หรือ mongodb://...",
    )
    host: str = setting(
        "127.0.0.1",
        TEXT,
        "Address to listen on. Beyond loopback it needs TLS, a trusted proxy or --insecure-http.",
        "ที่อยู่ที่เปิดรับ หากไม่ใช่เครื่องตัวเอง ต้องมี TLS หรือพร็อกซีที่เชื่อถือ หรือ --insecure-http",
    )
    port: int = setting(
        8080, number(0, 65535), "Port to listen on; 0 takes any free one.", "พอร์ตที่เปิดรับ; 0 คือพอร์ตใดก็ได้ที่ว่าง"
    )
    workers: int = setting(
        1,
        number(1, 64),
        "Processes that share the port; one per core is a good number.",
        "จำนวนโปรเซสที่ใช้พอร์ตร่วมกัน แนะนำเท่าจำนวนคอร์",
    )
    timezone: str = setting(
        "Asia/Bangkok",
        ZONE,
        "Zone of dates written without one; fixed when the store is made.",
        "เขตเวลาของวันที่ที่ไม่ระบุเขตเวลา กำหนดเมื่อสร้างที่เก็บข้อมูล",
    )
    open: bool = setting(
        False,
        YES_NO,
        "No authorization, for development: loopback only, foreign Hosts and Origins refused.",
        "ไม่ตรวจสิทธิ์ สำหรับพัฒนา: ใช้ได้เฉพาะในเครื่องตัวเอง",
    )
    sample: bool = setting(
        False,
        YES_NO,
        "Load a small synthetic sample when the store is empty.",
        "ใส่ข้อมูลตัวอย่างสังเคราะห์เมื่อที่เก็บข้อมูลยังว่าง",
    )
    base_url: str = setting(
        "",
        BASE_URL,
        "FHIR base address for every link and Location; absolute references to it count as local.",
        "ที่อยู่ฐาน FHIR ที่ใช้ในทุกลิงก์ การอ้างอิงแบบเต็มมาที่นี่ถือว่าเป็นภายใน",
    )
    tls_cert: str = setting(
        "", FILE, "Certificate chain (PEM). Reloaded when it changes.", "ไฟล์ใบรับรอง TLS (PEM) อ่านใหม่เองเมื่อเปลี่ยน"
    )
    tls_key: str = setting("", FILE, "Private key of the certificate (PEM).", "กุญแจส่วนตัวของใบรับรอง (PEM)")
    trusted_proxy: tuple[Network, ...] = setting(
        (),
        NETWORKS,
        "Networks whose X-Forwarded-Proto, -Host and -For are believed.",
        "เครือข่ายของพร็อกซีที่เชื่อถือส่วนหัว X-Forwarded-*",
    )
    insecure_http: bool = setting(
        False,
        YES_NO,
        "Listen beyond loopback without TLS: tokens and data can be read on the way.",
        "ยอมเปิดรับจากเครื่องอื่นโดยไม่มี TLS: ข้อมูลอาจถูกดักอ่านได้",
    )
    data_folder: str = setting(
        "data",
        FOLDER,
        "Folder of what is not in the store: tokens.json (hashed system tokens) and the quarantine of imports.",
        "โฟลเดอร์ของสิ่งที่ไม่อยู่ในที่เก็บข้อมูล: โทเค็น และข้อมูลนำเข้าที่ถูกปฏิเสธ",
    )
    cors_origin: tuple[str, ...] = setting(
        (),
        ORIGINS,
        "Origins whose browser apps may call the FHIR API.",
        "ต้นทางเว็บแอปที่อนุญาตให้เรียก FHIR API จากเบราว์เซอร์",
    )
    request_log: str = setting(
        "stderr", TEXT, "Structured request log: stderr, off, or a file.", "บันทึกคำขอแบบมีโครงสร้าง: stderr, off หรือชื่อไฟล์"
    )
    max_body_bytes: int = setting(
        32 << 20, SIZE, "Largest request body, also after decompression (413).", "ขนาดคำขอสูงสุด รวมหลังคลายการบีบอัด"
    )
    max_resource_bytes: int = setting(8 << 20, SIZE, "Largest single resource (413).", "ขนาดสูงสุดของหนึ่งรีซอร์ส")
    max_depth: int = setting(64, number(8, 200), "Deepest nesting of a JSON body (400).", "ความลึกสูงสุดของ JSON")
    max_entries: int = setting(
        10_000, number(1, 100_000), "Most entries of a Bundle (413).", "จำนวนรายการสูงสุดใน Bundle"
    )
    max_parameters: int = setting(
        200, number(1, 10_000), "Most parameters of a request (400).", "จำนวนพารามิเตอร์สูงสุดต่อคำขอ"
    )
    max_values: int = setting(
        500, number(1, 10_000), "Most values in one parameter's OR list (400).", "จำนวนค่าสูงสุดในหนึ่งพารามิเตอร์"
    )
    max_target: int = setting(
        16 << 10, SIZE, "Longest request line and header (400, 431).", "ความยาวสูงสุดของบรรทัดคำขอและส่วนหัว"
    )
    max_in_flight: int = setting(
        256, number(1, 100_000), "Requests at work at one time per worker (429).", "จำนวนคำขอพร้อมกันสูงสุดต่อโปรเซส"
    )
    max_connections: int = setting(
        4000,
        number(1, 1_000_000),
        "Open connections per worker; more are closed at once.",
        "จำนวนการเชื่อมต่อสูงสุดต่อโปรเซส",
    )
    time_limit: float = setting(
        60.0, SECONDS, "Longest time for the answer to one request (503).", "เวลาสูงสุดในการตอบหนึ่งคำขอ"
    )
    body_timeout: float = setting(30.0, SECONDS, "Longest wait for a request body (408).", "เวลารอเนื้อหาคำขอสูงสุด")
    idle_timeout: float = setting(
        75.0,
        SECONDS,
        "A connection that sends no complete request header for so long is closed.",
        "เวลาที่ปิดการเชื่อมต่อที่ไม่ส่งคำขอ",
    )
    shutdown_timeout: float = setting(
        20.0, SECONDS, "How long a stop waits for what is in flight.", "เวลารอคำขอที่ค้างอยู่เมื่อหยุดระบบ"
    )
    page_size: int = setting(
        50, number(1, 10_000), "Entries of a page without _count.", "จำนวนรายการต่อหน้าเมื่อไม่ระบุ _count"
    )
    max_page_size: int = setting(1000, number(1, 10_000), "Largest _count; more is cut to it.", "_count สูงสุด")
    referential_integrity: bool = setting(
        True,
        YES_NO,
        "Refuse references to what does not exist and deletes of what is referred to.",
        "ไม่รับการอ้างอิงถึงสิ่งที่ไม่มี และไม่ลบสิ่งที่ถูกอ้างอิง",
    )
    conditional_delete_multiple: bool = setting(
        True,
        YES_NO,
        "A conditional delete may delete several matches; otherwise it refuses them.",
        "ลบแบบมีเงื่อนไขได้หลายรายการในครั้งเดียว",
    )
    versioned_references: bool = setting(
        False,
        YES_NO,
        "Keep the version in references (Patient/1/_history/2); otherwise it is taken off.",
        "คงเลขรุ่นไว้ในการอ้างอิง",
    )
    cid_dummies: tuple[str, ...] = setting(
        (),
        DIGITS,
        "Citizen ids that stand for `not known`, beside repeated and running digits: nobody meets by them.",
        "เลขประจำตัวประชาชนที่ใช้แทนการไม่ทราบเลข นอกจากเลขซ้ำและเลขเรียง จะไม่ใช้รวมบุคคล",
    )
    cid_facility_prefixes: tuple[str, ...] = setting(
        ("0{hcode}",),
        PREFIXES,
        "Beginnings of numbers that facilities make up for people without one; {hcode} is the sender's code.",
        "ส่วนต้นของเลขที่หน่วยบริการออกให้เอง {hcode} คือรหัสของหน่วยบริการที่ส่ง",
    )
    identity_precedence: tuple[str, ...] = setting(
        ("card", "newest"),
        SOURCES,
        "Whose words the shared Patient has first: card (was read), newest (plausible D_UPDATE); any other comes last.",
        "ลำดับความเชื่อถือของข้อมูลบุคคล: card (อ่านจากบัตร), newest (D_UPDATE ล่าสุดที่เป็นไปได้)",
    )
    d_update_days_ahead: int = setting(
        1,
        number(0, 366),
        "How far D_UPDATE may lie in the future; later ones never win.",
        "D_UPDATE อยู่ในอนาคตได้กี่วัน เกินกว่านั้นไม่ใช้",
    )
    phr_swap_address: bool = setting(
        True,
        YES_NO,
        "MOPH PHR: write the district as `city` and the subdistrict as `district`, as the ministry's test data does.",
        "MOPH PHR: ส่งอำเภอในช่อง city และตำบลในช่อง district ตามข้อมูลทดสอบของกระทรวง",
    )
    text_search: bool = setting(
        False,
        YES_NO,
        "Index narratives and contents for _text and _content; costs disk.",
        "ทำดัชนีสำหรับ _text และ _content ใช้เนื้อที่เพิ่ม",
    )

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)

    @property
    def token_file(self) -> Path:
        return Path(self.data_folder) / "tokens.json"

    @property
    def terminology_folder(self) -> Path:
        """Where `onecard terminology load` puts code systems."""
        return Path(self.data_folder) / "terminology"

    @property
    def fhir_base(self) -> str:
        """FHIR base URL where no request names one (imports, the sample, the start message)."""
        scheme = "https" if self.tls_cert else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.base_url or f"{scheme}://{host}:{self.port}{FHIR_PATH}"


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Row(NamedTuple):
    """One setting, as the flags, the docs and the validation read it."""

    name: str
    """As in the TOML file: max-body."""
    field: str
    kind: Kind
    default: Any
    english: str
    thai: str

    @property
    def variable(self) -> str:
        return "ONECARD_" + self.field.upper()

    @property
    def flag(self) -> str:
        return "--" + self.name


TABLE: Mapping[str, Row] = {
    row.name: row
    for row in (
        Row(f.name.replace("_", "-"), f.name, f.metadata["kind"], f.default, f.metadata["en"], f.metadata["th"])
        for f in dataclasses.fields(Settings)
    )
}

OTHER_VARIABLES = frozenset({"ONECARD_CONFIG", "ONECARD_CI", "ONECARD_PASSPHRASE"})
"""Environment names that are no settings of the server."""

# ---------------------------------------------------------------- reading


def load(
    flags: Mapping[str, Sequence[str]] | None = None,
    environment: Mapping[str, str] | None = None,
    file: str | None = None,
) -> Settings:
    """Settings of the TOML file, the environment and the flags ({"port": ["8080"]}), the later winning.

    Raises: SettingRefused.
    """
    environment = os.environ if environment is None else environment
    file = file or environment.get("ONECARD_CONFIG")
    values: dict[str, Any] = {}
    for source, found in (
        (f"{file}: ", _from_file(file) if file else {}),
        ("", _from_environment(environment)),
        ("", {f"--{name}": ",".join(texts) for name, texts in (flags or {}).items()}),
    ):
        for key, text in found.items():
            row = _row(source, key)
            try:
                values[row.field] = row.kind.parse(text)
            except ValueError as error:
                raise SettingRefused(f"{source}{key}: {error}; found {without_password(text)[:80]!r}") from None
    settings = Settings(**values)
    check(settings)
    return settings


def _row(source: str, key: str) -> Row:
    name = key.removeprefix("--").removeprefix("ONECARD_").lower().replace("_", "-")
    if name in TABLE:
        return TABLE[name]
    near = difflib.get_close_matches(name, TABLE, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise SettingRefused(f"{source}{key}: there is no such setting{hint}")


def _from_file(path: str) -> dict[str, str]:
    try:
        content = tomllib.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise SettingRefused(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingRefused(f"{path}: is no TOML: {error}") from None
    return {key: _toml_text(f"{path}: {key}", value) for key, value in content.items()}


def _toml_text(where: str, value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return str(value)
        case list():
            return ",".join(_toml_text(where, item) for item in value)
        case _:
            raise SettingRefused(f"{where}: a text, number, true/false or list is expected")


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: text for name, text in environment.items() if name.startswith("ONECARD_") and name not in OTHER_VARIABLES
    }


# ---------------------------------------------------------------- what must hold between settings


def check(settings: Settings) -> None:
    """Raises: SettingRefused, for settings that are right each but not together."""
    for wrong, reason in _contradictions(settings):
        if wrong:
            raise SettingRefused(reason)


def _contradictions(s: Settings) -> Iterable[tuple[bool, str]]:
    yield bool(s.tls_cert) != bool(s.tls_key), "tls-cert and tls-key belong together; one of them is missing"
    yield s.open and not s.loopback, f"open: no authorization is for loopback only; host is {s.host!r}"
    exposed = not (s.loopback or s.tls_cert or s.trusted_proxy or s.insecure_http)
    yield (
        exposed,
        f"host: listening on {s.host!r} without TLS would send tokens and patient data readable over the network; "
        "give tls-cert and tls-key, or trusted-proxy, or insecure-http if that is really meant",
    )
    yield s.workers > 1 and not hasattr(os, "fork"), "workers: this system cannot fork processes; 1 is the number here"
    yield s.page_size > s.max_page_size, "page-size is larger than max-page-size"
    yield s.max_resource_bytes > s.max_body_bytes, "max-resource-bytes is larger than max-body-bytes"
    folder = Path(s.data_folder).absolute()
    there = next(each for each in (folder, *folder.parents) if os.path.exists(each))
    yield not there.is_dir(), f"data-folder: {str(there)!r} is a file, not a folder"
    for name, path in (("tls-cert", s.tls_cert), ("tls-key", s.tls_key)):
        yield bool(path) and not os.access(path, os.R_OK), f"{name}: {path!r} cannot be read"
