"""``python -m llmring_app`` is ``llmring-server``."""

import sys

from llmring_app.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
