"""An environment of its own that sees the installed libraries: what the tests of new plugins install them into."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_ENTRY = {
    "nas-harness": "from harness.cli import main; sys.exit(main())",
    "pip": "from pip._internal.cli.main import main; sys.exit(main())",
    "pytest": "import pytest; sys.exit(pytest.main())",
}


class FreshEnvironment:
    """Plugins are installed here, and nowhere else; no index is asked for anything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder, symlinks=True)
        site = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        (site / "installed.pth").write_text(sysconfig.get_paths()["purelib"])
        for name, code in _ENTRY.items():
            script = folder / "bin" / name
            script.write_text(f"#!{folder / 'bin' / 'python'}\nimport sys; {code}\n")
            script.chmod(0o755)

    def run(self, command: str, cwd: Path, *, status: int = 0) -> str:
        """What a line of a shell printed on both streams, having checked its exit status."""
        sources = os.pathsep.join(str(p) for p in (ROOT, ROOT / "plugins", ROOT / "protocols"))
        done = subprocess.run(
            command, shell=True, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={
                **os.environ, "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": sources,
                "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            },
        )  # fmt: skip
        assert done.returncode == status, f"{command}: exit status {done.returncode}\n{done.stdout}"
        return done.stdout
