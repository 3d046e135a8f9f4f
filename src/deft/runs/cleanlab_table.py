"""The verdicts in the form of cleanlab's issue table."""

from __future__ import annotations

import pandas as pd

CLEANLAB = ("is_label_issue", "label_score", "label_quality", "given_label", "predicted_label")


def cleanlab_issues(table: pd.DataFrame) -> pd.DataFrame:
    """Return columns of `Datalab.get_issues("label")`, and `label_quality`, as `CleanLearning` calls the score.

    Args:
        table: A detection's table.
    """
    return table.assign(label_quality=table["label_score"])[list(CLEANLAB)]
