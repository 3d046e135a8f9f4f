"""What the review page shows: the verdicts, what people decided, and what changed since the run before."""

from __future__ import annotations

import heapq
import shlex
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np

from deft.errors import DataError, SettingsError
from deft.reviewing.ahead import Ahead, Orders
from deft.reviewing.evidence import evidence_on
from deft.reviewing.heard import CODES, UNDECIDED, Heard
from deft.reviewing.query import Page, Query
from deft.runs.changes import Changes
from deft.runs.decisions import Decision, Decisions, now
from deft.runs.detection import Detection
from deft.runs.kinds import count_kinds
from deft.runs.vocabulary import KIND_IN_WORDS, LABELLESS, Press, Status

LARGEST_PAGE = 200
MOST_PAIRS = 200


class Desk:
    """A run under review. Safe to use from several threads, and from several processes on the same log.

    Args:
        found: The verdicts.
        log: What people decided.
        reviewer: Name under which decisions are recorded.
        before: The run before, if this one was made from reviews of it.

    Example:
        >>> desk = Desk(found, log, "Ada")  # doctest: +SKIP
        >>> desk.page(Query(), after=-1, limit=10).matching  # doctest: +SKIP
    """

    def __init__(self, found: Detection, log: Decisions, reviewer: str, before: Detection | None = None) -> None:
        self.found = found
        self.reviewer = reviewer
        self.row_of = {name: row for row, name in enumerate(found.sample_id)}
        self.duplicates = found.duplicates
        self.changes = None if before is None else Changes.between(before, found)
        self._log = log
        self._lock = threading.RLock()
        self._looking_up = threading.Lock()  # neighbours, while others go on deciding
        self._names = [name.casefold() for name in found.file_name]
        self._class_of = {name: number for number, name in enumerate(found.classes)}
        self._heard = Heard(found, log, self.row_of)
        self._orders = Orders(found, self._heard)
        self._ahead = Ahead(log.path.parent, found, self.row_of)
        self._kinds = np.array([kind or "" for kind in found.issue_kind])
        self._better = found.suggested
        self._counted = [[kind, KIND_IN_WORDS[kind], number] for kind, number in count_kinds(found.issue_kind).items()]
        self._heard.read_on()

    def about(self) -> dict[str, Any]:
        """Return what the page asks for once: classes, the pairs most often confused, what changed, who reviews."""
        found = self.found
        flagged = found.is_label_issue & (found.given >= 0)
        pairs = Counter(zip(found.given[flagged].tolist(), self._better[flagged].tolist(), strict=True))
        named = [[found.classes[a], found.classes[b], n] for (a, b), n in pairs.most_common(MOST_PAIRS) if b >= 0]
        return {
            "again": f"deft detect {shlex.quote(str(self._log.path.parent))} --with-reviews -o NEW",
            "images": len(found),
            "flagged": int(found.is_label_issue.sum()),
            "unread": int((~found.judged).sum()),
            "duplicates": self.duplicates.counts(),
            "classes": list(found.classes),
            "pairs": named,
            "kinds": self._counted,
            "reviewer": self.reviewer,
            "changes": None if self.changes is None else self.changes.counts(),
        }

    def page(self, query: Query, *, after: int, limit: int) -> Page:
        """Return the images that a query finds, from a place in its order on.

        Places don't move when something is decided, so that nothing is left out or shown twice.

        Args:
            query: Which images.
            after: Place of the last image that is known already; −1 to begin.
            limit: How many images at the most.
        """
        with self._lock:
            self._heard.read_on()
            scope = self._scope(query)
            mask = scope & self._shown(query)
            decided = scope & self._shown(Query(show="decided"))
            as_of = self._heard.number if query.as_of < 0 else min(query.as_of, self._heard.number)
            order = self._ahead.order if query.verdict == "sample" else self._orders[query.order, as_of]
            places = np.flatnonzero(mask[order])
            places = places[places > after][: min(limit, LARGEST_PAGE)]
            items = [{**self._item(int(order[place])), "place": int(place)} for place in places.tolist()]
        return Page(items, int(mask.sum()), int(scope.sum()), int(decided.sum()), as_of)

    def items(self, samples: Sequence[str]) -> list[dict[str, Any]]:
        """Return images by sample_id, as they are now."""
        with self._lock:
            self._heard.read_on()
            return [self._item(self._row(sample)) for sample in samples]

    def ahead(self) -> dict[str, Any]:
        """Return how many wrong labels are left, what a random sample has told, and what samples could tell."""
        with self._lock:
            self._heard.read_on()
            return self._ahead.told(self._heard)

    def draw(self, count: int) -> dict[str, Any]:
        """Draw a random sample of the images that nobody has decided about, and return what `ahead` does.

        Args:
            count: How many to draw.

        Raises:
            SettingsError: The last sample isn't finished, or there are fewer images.
        """
        with self._lock:
            self._heard.read_on()
            self._ahead.draw(self._heard, count)
        return self.ahead()

    def evidence(self, sample: str) -> dict[str, Any]:
        """Return why an image is suspected: a sentence, and the images that speak for and against its label.

        Args:
            sample: Its sample_id.

        Raises:
            DataError: There is no such image.
        """
        with self._looking_up:
            return evidence_on(self.found, self._row(sample))

    def decide(self, action: str, samples: Sequence[tuple[str, int]], label: str = "") -> list[dict[str, Any]]:
        """Record the same decision about several images, all or none.

        Args:
            action: What to do with each, one of `Press`.
            samples: sample_id of each, and the revision that was on the screen.
            label: The right class, where the action is "label".

        Returns:
            The images, as they are now.

        Raises:
            ConflictError: Somebody else decided about one of them in the meantime.
            DataError: There is no such image, or it has no label to keep or no suggestion to take.
            SettingsError: There is no such action.
        """
        if action not in get_args(Press):
            raise SettingsError(f"There is no action {action!r}; there are {', '.join(get_args(Press))}.")
        time = now()
        made = [(self._decision(action, self._row(sample), label, time), seen) for sample, seen in samples]
        self._log.record_all(made)
        return self.items([sample for sample, _ in samples])

    def undo(self, samples: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
        """Take back the last decision about several images, all or none; as `decide`."""
        self._log.undo_all(samples, self.reviewer, now())
        return self.items([sample for sample, _ in samples])

    def recent(self, count: int) -> list[list[str]]:
        """Return the reviewer's last decisions that still stand and that nobody changed since, oldest first.

        Returns:
            A pair of sample_id and time for each.
        """
        with self._lock:
            self._heard.read_on()
            own = [one for one in self._heard.entries.values() if one.action == "decide" and self._is_own(one.decision)]
            newest = heapq.nlargest(count, own, key=lambda entry: entry.number)
        return [[entry.decision.sample_id, entry.decision.time] for entry in reversed(newest)]

    def _is_own(self, decision: Decision) -> bool:
        return decision.reviewer == self.reviewer and decision.sample_id in self.row_of

    def _decision(self, action: str, row: int, label: str, time: str) -> Decision:
        given = self._label(self.found.given[row])
        suggested = self._label(self._better[row])
        sample = self.found.sample_id[row]
        if action in LABELLESS:
            return Decision(sample, LABELLESS[action], given, None, self.reviewer, time)
        wanted = {"keep": given, "suggest": suggested, "label": label}[action]
        if wanted not in self._class_of:
            what = {"keep": "a given label", "suggest": "a suggestion"}.get(action, f"a class called {wanted!r}")
            raise DataError(f"{self.found.file_name[row]}: there isn't {what}.")
        status: Status = "kept" if wanted == given else "corrected"
        return Decision(sample, status, given, wanted, self.reviewer, time)

    def _scope(self, query: Query) -> np.ndarray:
        """Return which images a query finds whatever was decided about them, (N,)."""
        found = self.found
        verdicts = {"flagged": found.is_label_issue, "believed": found.is_clean, "unread": ~found.judged}
        verdicts["sample"] = self._ahead.mask
        mask = verdicts[query.verdict].copy() if query.verdict in verdicts else np.ones(len(found), bool)
        for name, labels in ((query.given, found.given), (query.suggested, self._better)):
            if name:
                mask &= labels == self._class_id(name)
        if query.low > 0 or query.high < 1:
            mask &= found.judged & (found.p_clean >= query.low) & (found.p_clean <= query.high)
        if query.search:
            part = query.search.casefold()
            mask &= np.fromiter((part in name for name in self._names), bool, len(self._names))
        if query.kind:
            mask &= self._kinds == query.kind
        if query.duplicates:
            mask &= self.duplicates.mask(query.duplicates, len(found))
        if query.change:
            mask &= self.changes.mask(query.change) if self.changes is not None else False
        return mask

    def _shown(self, query: Query) -> np.ndarray:
        """Return which images have the decisions that a query asks for, (N,)."""
        kinds = {
            "all": range(UNDECIDED, len(CODES)),
            "todo": [UNDECIDED],
            "decided": [code for status, code in CODES.items() if status != "skipped"],
        }
        return np.isin(self._heard.status, list(kinds.get(query.show) or [CODES[query.show]]))

    def _item(self, row: int) -> dict[str, Any]:
        found, sample = self.found, self.found.sample_id[row]
        last = self._heard.latest.get(sample)
        judged = bool(found.judged[row])
        top = zip(found.verdicts.topk[row].tolist(), found.verdicts.topk_probs[row].tolist(), strict=True)
        return {
            "id": sample,
            "name": found.file_name[row],
            "given": self._label(found.given[row]),
            "suggested": self._label(self._better[row]),
            "kind": KIND_IN_WORDS.get(str(self._kinds[row]), ""),
            "score": round(float(found.p_clean[row]), 4) if judged else None,
            "flagged": bool(found.is_label_issue[row]),
            "top": [[found.classes[index], round(prob, 4)] for index, prob in top if index >= 0] if judged else [],
            "error": found.reason(row),
            "copies": self.duplicates.about(row, found.classes, found.given),
            "revision": self._heard.entries[sample].revision if sample in self._heard.entries else 0,
            "status": None if last is None else last.status,
            "label": None if last is None else last.to_label,
            "reviewer": None if last is None else last.reviewer,
            "time": None if last is None else last.time,
            "before": None if self.changes is None else self.changes.item(row),
        }

    def _row(self, sample: str) -> int:
        if sample not in self.row_of:
            raise DataError(f"This run has no image {sample!r}.")
        return self.row_of[sample]

    def _label(self, index: np.integer[Any]) -> str:
        return self.found.classes[int(index)] if index >= 0 else ""

    def _class_id(self, name: str) -> int:
        if name not in self._class_of:
            raise SettingsError(f"This run has no class {name!r}.")
        return self._class_of[name]
