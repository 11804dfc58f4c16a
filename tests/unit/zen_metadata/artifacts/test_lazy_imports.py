from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, tempfile
from pathlib import Path
from zen_metadata.artifacts.store import ArtifactStore
import zen_metadata.artifacts.files
scratch = Path(tempfile.mkdtemp())
store = ArtifactStore(str(scratch / "store"))
stored = store.save({"a": [1, "x"]}, scratch=scratch)
assert store.load(stored, scratch=scratch) == {"a": [1, "x"]}
print(sorted({"fsspec", "numpy", "pandas", "pyarrow", "sklearn", "cloudpickle", "pydantic"} & set(sys.modules)))
"""


def test_a_step_that_passes_json_on_a_local_store_imports_no_library() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "[]"
