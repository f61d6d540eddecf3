"""`python -m tests.fuzz`: atheris over every target, `FUZZ_SECONDS` for each. Exits 1 on a finding and says the file.

`python -m tests.fuzz TARGET` runs one of them in this process. What is learned grows in `build/fuzz/corpus`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
BUILD: Final = HERE.parents[1] / "build" / "fuzz"
SECONDS_PER_INPUT: Final = 20
MOST_MEGABYTES: Final = 2048
MOST_BYTES: Final = 20_000


def one(name: str, seconds: int) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris  # type: ignore[import-not-found]

    with atheris.instrument_imports(include=["bridge", "jmespath", "yaml", "json"]):
        from tests.fuzz.targets import TARGETS

    corpus = BUILD / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    (BUILD / "findings").mkdir(exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={SECONDS_PER_INPUT}",
        f"-rss_limit_mb={MOST_MEGABYTES}",
        f"-max_len={MOST_BYTES}",
        f"-artifact_prefix={BUILD / 'findings' / name}-",
        f"-dict={HERE / 'tokens.dict'}",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus), str(HERE / "seeds" / name)], TARGETS[name])
    atheris.Fuzz()


def every(seconds: int) -> int:
    """The exit code: 1 where any target had a finding."""
    names = sorted(path.name for path in (HERE / "seeds").iterdir())
    failed = []
    for name in names:
        ended = subprocess.run(
            [sys.executable, "-m", "tests.fuzz", name],
            env={**os.environ, "FUZZ_SECONDS": str(seconds)},
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
        said = ended.stderr.splitlines()
        runs = next((line.rsplit(" ", 1)[-1] for line in said if "number_of_executed_units" in line), "?")
        sys.stdout.write(f"{name}: {runs} executions, {'a finding' if ended.returncode else 'no finding'}\n")
        if ended.returncode:
            failed.append(name)
            sys.stdout.write("\n".join(said[-40:]) + "\n")
    for path in sorted((BUILD / "findings").glob("*")) if failed else ():
        sys.stdout.write(f"{path}: keep it as tests/fuzz/seeds/TARGET/NAME once it is mended\n")
    return 1 if failed else 0


if __name__ == "__main__":
    wanted = int(os.environ.get("FUZZ_SECONDS", "60"))
    if len(sys.argv) > 1:
        one(sys.argv[1], wanted)
    sys.exit(every(wanted))
