from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score

from bezoar.contracts.errors import FileProblem, InvalidArgument, InvalidData
from bezoar.models.hybrid import FitSettings, HybridImageClassifier, save_network

QUICK = FitSettings(warm_up=0, epochs=3, learning_rate=4e-3, precision="float32")


@pytest.fixture(scope="module")
def model(digits):
    images, labels = digits
    made = HybridImageClassifier(head="tanh", training=QUICK, random_state=0)
    return made.fit(images[:400], labels[:400])


def test_it_learns_and_keeps_the_manners_of_scikit_learn(model, digits):
    images, labels = digits
    assert model.score(images[1500:], labels[1500:]) > 0.8  # 0.9 was measured, chance is 0.1
    chances = model.predict_proba(images[:5])
    assert chances.shape == (5, 10)
    assert np.allclose(chances.sum(1), 1)
    assert np.array_equal(model.classes_[chances.argmax(1)], model.predict(images[:5]))
    assert model.history_.losses.shape == (3, 400)
    assert model.n_features_in_ == 3 * 32 * 32
    twin: Any = clone(model)
    assert twin.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        twin.predict(images)
    twin.fit(images[:400], labels[:400])
    assert np.array_equal(twin.decision_function(images[:9]), model.decision_function(images[:9]))


@pytest.mark.parametrize(
    "labels", [np.array(["b", "a", "c"]), np.array([7, -3, 100]), [True, False]], ids=str
)
def test_labels_of_any_kind_come_back_from_a_file(tmp_path, labels):
    rng = np.random.default_rng(0)
    y = np.resize(np.asarray(labels), 12)
    made = HybridImageClassifier(trunk="none", head="tanh", training=QUICK, random_state=0)
    made.fit(rng.normal(size=(12, 4)), y)
    again = HybridImageClassifier.load(made.save(tmp_path / "m.safetensors"))
    assert np.array_equal(again.classes_, made.classes_)
    assert again.classes_.dtype == made.classes_.dtype
    x = rng.normal(size=(20, 4))
    assert np.array_equal(again.predict_proba(x), made.predict_proba(x))
    assert again.get_params()["trunk"] == "none"
    assert again.n_features_in_ == 4


def test_text_in_an_object_array_is_text(tmp_path):
    y = np.array(["yes", "no"] * 4, dtype=object)
    made = HybridImageClassifier(trunk="none", head="tanh", training=QUICK, random_state=0)
    assert set(made.fit(np.eye(8), y).predict(np.eye(8))) <= {"yes", "no"}


def test_it_cross_validates(digits):
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = rng.normal(size=(60, 3)) + 4 * y[:, None]
    training = FitSettings(warm_up=0, epochs=30, head_learning_rate=2e-2)
    made = HybridImageClassifier(trunk="none", head="tanh", training=training, random_state=0)
    assert cross_val_score(made, x, y, cv=2).mean() > 0.9


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, y: (x[0], y), "shapes"),
        (lambda x, y: (x.reshape(20, -1), y), "trunk small"),
        (lambda x, y: (x[:, :, :, :9], y), "square"),
        (lambda x, y: (x, y[:-1]), "a label for each"),
        (lambda x, y: (x, np.zeros_like(y)), "two classes or more"),
        (lambda x, y: (x, y + 0.5), "a class for each"),
        (lambda x, y: (x, y[:, None]), "a class for each"),
        (lambda x, y: (x, [None for _ in y]), "two classes|a class for each"),
        (lambda x, y: (x[:0], y[:0]), "a class for each"),
        (lambda x, y: (2 * x + 1, y), r"numbers in \[0, 1\]"),
    ],
)
def test_data_that_cannot_be_learnt_are_refused(digits, change, words):
    images, labels = change(digits[0][:20], digits[1][:20])
    made = HybridImageClassifier(head="tanh", training=QUICK, random_state=0)
    with pytest.raises(InvalidData, match=words):
        made.fit(images, labels)
    with pytest.raises(NotFittedError):
        made.predict(digits[0][:20])


def test_settings_are_checked_when_it_is_fitted(digits):
    images, labels = digits[0][:20], digits[1][:20]
    for wrong, words in [
        ({"random_state": -1}, "random_state"),
        ({"random_state": "x"}, "random_state"),
        ({"training": 3}, "training"),
        ({"trunk": "vgg"}, "trunk"),
        ({"weights": "nowhere.npz"}, "does not exist"),
    ]:
        made = HybridImageClassifier(**{"head": "tanh", "training": QUICK, **wrong})
        with pytest.raises((InvalidArgument, FileProblem), match=words):
            made.fit(images, labels)


def test_a_random_state_is_drawn_from(digits):
    images, labels = digits[0][:20], digits[1][:20]
    for state in (None, np.random.RandomState(0)):
        made = HybridImageClassifier(head="tanh", training=QUICK, random_state=state)
        assert made.fit(images, labels).predict(images).shape == (20,)


def test_predict_refuses_images_of_another_size(model, digits):
    with pytest.raises(InvalidData, match="resize"):
        model.predict(digits[0][:3, :, :28, :28])


def test_what_cannot_be_saved_or_loaded_is_told(model, tmp_path):
    path = tmp_path / "m.safetensors"
    for facts in ({"labels": "integer"}, {"labels": ["integer"]}):
        save_network(path, model.network_, ["x"] * 10, facts)
        if facts["labels"] == "integer":
            with pytest.raises(FileProblem, match="no integers"):
                HybridImageClassifier.load(path)
    other: Any = clone(model)
    with pytest.raises(NotFittedError):
        other.save(path)
    rng = np.random.default_rng(0)
    made = HybridImageClassifier(trunk="none", head="tanh", training=QUICK, random_state=0)
    made.fit(rng.normal(size=(8, 2)), np.array([1.0, 2.0] * 4))
    with pytest.raises(InvalidArgument, match="whole numbers, booleans or text"):
        made.save(path)
