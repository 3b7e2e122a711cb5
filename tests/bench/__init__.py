"""Benchmarks: `python -m tests.bench`, or one of its modules alone. What they start finds the plugins as they do."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
_PLUGINS = [str(path) for path in sorted(ROOT.glob("functions/*"))]
sys.path[:0] = [path for path in _PLUGINS if path not in sys.path]
os.environ["PYTHONPATH"] = os.pathsep.join([*_PLUGINS, str(ROOT / "shared")])
