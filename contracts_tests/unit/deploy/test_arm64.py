"""What docs/how-to/docker.md says about arm64, as far as this machine can tell."""

from __future__ import annotations

import fnmatch
import re
import sysconfig
import zipfile
from pathlib import Path

from contracts_tests.fixtures.clone import CLONE

JARS = Path(sysconfig.get_path("purelib")) / "pyspark" / "jars"
LEFT_OUT = (CLONE / "deploy" / "spark" / "left-out").read_text().split()
# Only for x86_64, of what this project does not use: the history server's database, the shell's terminal.
ONLY_X86 = {"leveldbjni-all-*.jar", "jline-2.*.jar"}
ARM = re.compile(r"aarch_?64|arm64", re.IGNORECASE)


def test_machine_code_in_sparks_jars_exists_for_both_processors():
    lacking, of_both = set(), set()
    for path in JARS.glob("*.jar"):
        with zipfile.ZipFile(path) as jar:
            libraries = [name for name in jar.namelist() if name.endswith(".so")]
        if not libraries or any(fnmatch.fnmatch(path.name, pattern) for pattern in LEFT_OUT):
            continue
        # netty has a jar for each.
        name = re.sub(r"-linux-\w+(?=\.jar$)", "", path.name)
        (of_both if any(map(ARM.search, libraries)) else lacking).add(name)
    lacking -= of_both
    assert {pattern for pattern in ONLY_X86 if fnmatch.filter(lacking, pattern)} == ONLY_X86
    assert not {name for name in lacking if not any(fnmatch.fnmatch(name, pattern) for pattern in ONLY_X86)}
    for needed in ("lz4-java", "snappy-java", "zstd-jni", "netty-transport-native-epoll"):
        assert any(name.startswith(needed) for name in of_both), needed
