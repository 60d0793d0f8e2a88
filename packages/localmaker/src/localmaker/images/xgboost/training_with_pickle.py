"""Train as AWS's XGBoost containers before 1.3 do, which store the model as a pickle."""

from __future__ import annotations

import sys

from training import main

if __name__ == "__main__":
    sys.exit(main(pickled=True))
