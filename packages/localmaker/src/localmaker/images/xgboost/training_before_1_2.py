"""Train as AWS's XGBoost containers before 1.2 do: with their hyperparameters, and the model stored as a pickle."""

from __future__ import annotations

import sys

from training import main

if __name__ == "__main__":
    sys.exit(main(pickled=True, before_1_2=True))
