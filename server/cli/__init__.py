"""`onecard COMMAND`: one file per command, imported when it is called, so that `onecard --help` is quick.

A command's module has `add_arguments(parser)` and `run(args) -> int`; its row in COMMANDS says what it does.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

REFUSED = 2
"""Exit code for arguments, settings and stores that cannot be used."""


class Command(NamedTuple):
    module: str
    english: str
    thai: str


COMMANDS: Mapping[str, Command] = {
    "restore": Command("server.cli.restore", "a backup into a new store", "กู้คืนข้อมูล"),
    "serve": Command("server.cli.serve", "start the server", "เริ่มเซิร์ฟเวอร์"),
    "backup": Command("server.cli.backup", "all of a store into one file", "สำรองข้อมูล"),
    "import": Command("server.cli.importing", "load FHIR files or the 43 files, or undo that", "นำเข้าแฟ้มข้อมูล"),
    "export": Command("server.cli.exporting", "the 43 files or FHIR out of a store", "ส่งออกข้อมูล"),
    "quarantine": Command("server.cli.quarantine", "what imports refused", "ข้อมูลที่ไม่รับ"),
    "identity": Command("server.cli.identity", "one person or two", "แยกหรือรวมทะเบียนบุคคล"),
    "validate": Command("server.cli.validate", "check FHIR files without storing them", "ตรวจไฟล์ FHIR"),
    "sample": Command("server.cli.sample", "files of people who do not exist", "สร้างข้อมูลสมมุติ"),
    "store": Command(
        "server.cli.store", "make a store ready, migrate, reindex, copy or show it", "เตรียม ปรับรุ่น คัดลอก หรือดูที่เก็บข้อมูล"
    ),
    "terminology": Command("server.cli.terminology", "load and list code systems", "นำเข้าและแสดงระบบรหัส"),
    "packages": Command("server.cli.packages", "profiles and code systems of FHIR packages", "แพ็กเกจ FHIR"),
    "health": Command("server.cli.health", "whether the server answers", "เซิร์ฟเวอร์ตอบหรือไม่"),
    "token": Command("server.cli.token", "add, list and revoke system tokens", "เพิ่ม แสดง และเพิกถอนโทเค็นของระบบ"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code: 0 done, 1 failed, 2 refused with a reason."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="onecard",
        description="OneCard: FHIR R4 server for Thai health facilities / เซิร์ฟเวอร์ FHIR สำหรับหน่วยบริการสุขภาพ",
        epilog=_listed(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version / แสดงรุ่น")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of those below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="onecard COMMAND --help tells them")
    chosen = parser.parse_args(arguments)
    command = COMMANDS[chosen.command]
    module = importlib.import_module(command.module)
    own = argparse.ArgumentParser(
        prog=f"onecard {chosen.command}",
        description=f"{command.english} / {command.thai}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(own)
    before = os.umask(0o077)  # what the server and the commands write is patients' data
    try:
        code = int(module.run(own.parse_args(chosen.arguments)))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # `| head`: whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("onecard: stopped / หยุดแล้ว", file=sys.stderr)
        return 130
    except OSError as error:  # of a disk or folder, where no command has better words: a traceback helps nobody
        if error.filename is None:
            raise
        return refuse(f"{error.filename}: {error.strerror} / ใช้แฟ้มหรือโฟลเดอร์นี้ไม่ได้")
    finally:
        os.umask(before)


class _Version(argparse.Action):
    """Asks for the version only when it is wanted: reading package metadata takes longer than all the rest."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"onecard {version('onecard')}")
        parser.exit()


def _listed() -> str:
    width = max(map(len, COMMANDS))
    rows = (f"  {name:{width}}  {command.english} / {command.thai}" for name, command in COMMANDS.items())
    return "\n".join(["commands / คำสั่ง:", *rows])


def refuse(reason: object) -> int:
    """Says why on standard error; the exit code for it."""
    print(f"onecard: {reason}", file=sys.stderr)
    return REFUSED
