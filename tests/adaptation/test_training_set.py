"""What becomes of labels that were found wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from deft.adaptation.training_set import all_of, fix_labels
from deft.data.images import LabeledImages
from deft.errors import DataError, SettingsError
from deft.runs.detection import Detection

Noisy = tuple[LabeledImages, Detection]


def test_drop_leaves_the_wrong_ones_out(noisy: Noisy) -> None:
    images, found = noisy
    kept = fix_labels(found, images)
    assert len(kept.images) == 13
    assert (kept.images.labels == kept.images.clean_labels).all()
    assert kept.weights is None
    assert kept.counts == {"given": 16, "flagged": 3, "unusable": 0, "kept": 13, "dropped": 3}


def test_relabel_gives_them_the_suggestion_and_keeps_all(noisy: Noisy) -> None:
    images, found = noisy
    kept = fix_labels(found, images, "relabel")
    assert kept.images.labels.tolist() == found.predicted.tolist()
    assert kept.counts["relabelled"] == 3
    assert kept.images.sample_id == images.sample_id


def test_keep_changes_nothing(noisy: Noisy) -> None:
    images, found = noisy
    kept = fix_labels(found, images, "keep")
    assert kept.images.labels.tolist() == images.labels.tolist()
    assert kept.counts == {"given": 16, "flagged": 3, "unusable": 0, "kept": 16}


def test_weigh_lets_every_image_count_by_p_clean(noisy: Noisy) -> None:
    images, found = noisy
    kept = fix_labels(found, images, "weigh")
    assert kept.images is images
    assert kept.weights is not None
    np.testing.assert_array_equal(kept.weights, found.p_clean)


def test_other_images_are_refused(noisy: Noisy) -> None:
    images, found = noisy
    with pytest.raises(DataError, match="about 16 images in 2 classes, but other images were given: 15"):
        fix_labels(found, images.keep(np.arange(15)))


def test_an_unknown_way_is_named(noisy: Noisy) -> None:
    images, found = noisy
    with pytest.raises(SettingsError, match=r"how must be one of drop, relabel, keep, weigh, mask, not 'burn'"):
        fix_labels(found, images, "burn")  # type: ignore[arg-type]


def test_without_a_detection_all_are_kept(noisy: Noisy) -> None:
    assert all_of(noisy[0]).counts == {"given": 16, "kept": 16, "unusable": 0}


def test_what_a_person_confirmed_is_believed(noisy: Noisy) -> None:
    images, found = noisy
    sure = replace(images, trusted=np.isin(np.arange(16), [1]), read_errors={2: "set aside by Ada"})
    dropped, weighed = fix_labels(found, sure), fix_labels(found, sure, "weigh")
    assert dropped.images.sample_id == tuple(images.sample_id[row] for row in range(16) if row not in (2, 6, 11))
    assert dropped.images.labels[1] == images.labels[1]
    assert dropped.counts["confirmed by people"] == 1
    assert dropped.counts["dropped"] == 2
    assert dropped.counts["unusable"] == 1
    assert weighed.weights is not None
    assert weighed.weights[[1, 6]].tolist() == [1.0, pytest.approx(0.1)]


def test_flagged_without_another_suggestion_is_dropped(noisy: Noisy) -> None:
    images, found = noisy
    predicted = found.predicted.copy()
    predicted[1] = images.labels[1]
    kept = fix_labels(replace(found, verdicts=replace(found.verdicts, predicted=predicted)), images, "relabel")
    assert images.sample_id[1] not in kept.images.sample_id
    assert (kept.counts["relabelled"], kept.counts["dropped"], kept.counts["kept"]) == (2, 1, 15)
