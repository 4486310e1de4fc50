"""A plug-in of pytest for the process of the ``online_*`` files: a mirror, and an environment that leads to it.

``huggingface_hub`` reads the environment when it is imported, so this has to come before all else.
"""

import os
import sys
import tempfile

from tests.hub.mirror import Mirror

assert "huggingface_hub" not in sys.modules
MIRROR = Mirror()
os.environ |= {
    "HF_ENDPOINT": MIRROR.endpoint,
    "HF_HUB_OFFLINE": "0",
    "HF_HOME": tempfile.mkdtemp(prefix="hub-"),
    "HF_HUB_ETAG_TIMEOUT": "1",
    "HF_HUB_DOWNLOAD_TIMEOUT": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "NO_PROXY": "*",
}
for name in ("HF_TOKEN", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_OFFLINE"):
    os.environ.pop(name, None)
