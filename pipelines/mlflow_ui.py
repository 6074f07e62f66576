"""MLflow's pages on the store of the settings in force: `python -m pipelines.mlflow_ui`, with options of `mlflow ui`.

The address goes by the environment: on a command line every user of the machine could read the password in it.
"""

import os
import sys

from jepa_core.errors import JepaError
from jepa_core.settings import Settings
from jepa_core.store import Store
from pipelines.resources import tracking_uri


def main() -> None:
    """Becomes `mlflow ui`."""
    try:
        os.environ["MLFLOW_BACKEND_STORE_URI"] = tracking_uri(Store.at(Settings().data_folder))
    except JepaError as error:
        sys.exit(str(error))
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", *sys.argv[1:]])  # noqa: S606


if __name__ == "__main__":
    main()
