import numpy as np
from engines import array

from adversarial.losses import AuxiliaryClassifier, ConditionalContrastive
from adversarial.losses.seen import Seen

REALS, FAKES = np.array([0, 1]), np.array([2, 0])
OUTPUTS = {"r": REALS, "f": FAKES}


def read(loss, targets=None):
    view = Seen("Loss", "generator", OUTPUTS, targets)
    rows = loss.real_rows(view, 3), loss.fake_rows(view, 3)
    found = [np.argmax(array(x), axis=1).tolist() for x in rows]
    raw = loss.real_classes(view), loss.fake_classes(view)
    assert found == [array(x).tolist() for x in raw]
    return found


def test_labels_are_the_targets_unless_outputs_are_named():
    reals, fakes = REALS.tolist(), FAKES.tolist()
    assert read(AuxiliaryClassifier(3), FAKES) == [fakes, fakes]
    assert read(AuxiliaryClassifier(3, labels="r")) == [reals, reals]
    both = AuxiliaryClassifier(3, labels="r", fake_labels="f")
    assert read(both) == [reals, fakes]
    half = ConditionalContrastive(fake_labels="f")
    assert read(half, REALS) == [reals, fakes]
