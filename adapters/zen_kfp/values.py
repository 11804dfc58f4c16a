"""Values as text: what KFP carries from the form or from task to task, and never reads.

KFP puts values into a container's arguments where the arguments hold its placeholders, `{{$.inputs…}}`, and looks for
further ones in what it has put there. So a text of the user's that looks like one is written with an escape of JSON.
"""

from __future__ import annotations

import re
from typing import Any

from zen_core.contract.canonical import canonical_json

_JSON_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


def to_text(value: Any) -> str:
    """The canonical JSON of a value, without a brace in any of its texts."""
    return _JSON_TEXT.sub(lambda found: found[0].replace("{", "\\u007b").replace("}", "\\u007d"), canonical_json(value))
