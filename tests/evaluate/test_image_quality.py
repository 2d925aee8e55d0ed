import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.contracts.errors import InvalidData
from bezoar.evaluate.metrics.image_quality import (
    PSNR_CAP,
    image_quality,
    l2,
    linf,
    psnr,
    ssim,
)

shapes = st.tuples(
    st.integers(1, 3), st.sampled_from([1, 3]), st.integers(3, 18), st.integers(3, 18)
)


def random_pair(shape, seed=0, dtype: type = np.float64):
    rng = np.random.default_rng(seed)
    clean = rng.random(shape)
    return clean.astype(dtype), np.clip(clean + rng.normal(0, 0.1, shape), 0, 1).astype(dtype)


def direct_ssim(x, y):
    """The formula, window by window, for one channel."""
    side = min(11, *(n - 1 + n % 2 for n in x.shape))
    axis = np.arange(side) - side // 2
    weights = np.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    values = []
    for i in range(x.shape[0] - side + 1):
        for j in range(x.shape[1] - side + 1):
            a, b = x[i : i + side, j : j + side], y[i : i + side, j : j + side]
            ma, mb = (weights * a).sum(), (weights * b).sum()
            va, vb = (weights * (a - ma) ** 2).sum(), (weights * (b - mb) ** 2).sum()
            cov = (weights * (a - ma) * (b - mb)).sum()
            c1, c2 = 0.01**2, 0.03**2
            values.append(
                (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
            )
    return np.mean(values)


@pytest.mark.parametrize("size", [(11, 11), (16, 20), (12, 5), (3, 3), (10, 9), (4, 30)])
def test_ssim_is_its_formula(size):
    one, other = random_pair((2, 3, *size))
    wanted = [np.mean([direct_ssim(*pair) for pair in zip(*images, strict=True)])
              for images in zip(one, other, strict=True)]  # fmt: skip
    # Both in double precision; the sums run in another order.
    assert np.allclose(ssim(one, other), wanted, rtol=0, atol=1e-10)


def test_ssim_is_that_of_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    one, other = random_pair((3, 3, 24, 20))
    for i, pair in enumerate(zip(one, other, strict=True)):
        wanted = metrics.structural_similarity(
            *pair,
            channel_axis=0,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert ssim(one, other)[i] == pytest.approx(wanted, abs=1e-6)


@given(shapes, st.integers(0, 9))
def test_an_image_is_itself(shape, seed):
    one, _ = random_pair(shape, seed)
    quality = image_quality(one, one)
    assert np.allclose(quality.ssim, 1, rtol=0, atol=1e-12)
    assert np.isinf(quality.psnr).all()
    assert not quality.l2.any()
    assert not quality.linf.any()
    assert quality.means()["psnr"] == PSNR_CAP


@given(shapes, st.integers(0, 9))
def test_all_measures_are_symmetric_and_in_range(shape, seed):
    one, other = random_pair(shape, seed)
    forth, back = image_quality(one, other), image_quality(other, one)
    for name in ("ssim", "psnr", "l2", "linf"):
        values = getattr(forth, name)
        assert values.shape == (shape[0],)
        assert np.allclose(values, getattr(back, name), rtol=0, atol=1e-10)
    assert (np.abs(forth.ssim) <= 1 + 1e-12).all()
    size = np.prod(shape[1:])
    assert (forth.linf <= forth.l2 + 1e-12).all()
    assert (forth.l2 <= np.sqrt(size) * forth.linf + 1e-12).all()
    # PSNR says the same as L2, in another unit.
    assert np.allclose(forth.psnr, -20 * np.log10(forth.l2 / np.sqrt(size)), atol=1e-8)


@given(st.floats(0, 0.5), st.floats(0.01, 0.5))
def test_a_shift_of_brightness_has_a_closed_form(level, shift):
    one = np.full((2, 3, 13, 12), level)
    quality = image_quality(one, one + shift)
    # A constant image has no structure: what is left is the factor of the means.
    a, b, c = level, level + shift, 0.01**2
    assert np.allclose(quality.ssim, (2 * a * b + c) / (a**2 + b**2 + c), rtol=0, atol=1e-9)
    assert np.allclose(quality.psnr, -20 * np.log10(shift))
    assert np.allclose(quality.l2, shift * np.sqrt(3 * 13 * 12))
    assert np.allclose(quality.linf, shift)


def test_each_image_is_measured_by_itself():
    one, other = random_pair((70, 1, 12, 12))
    order = np.random.default_rng(1).permutation(70)
    for measure in (ssim, psnr, l2, linf):
        assert np.allclose(measure(one, other)[order], measure(one[order], other[order]))


def test_single_precision_is_measured_as_finely():
    one, other = random_pair((4, 3, 32, 32), dtype=np.float32)
    exact = image_quality(one.astype(np.float64), other.astype(np.float64))
    for name, value in image_quality(one, other).means().items():
        assert value == pytest.approx(exact.means()[name], rel=1e-12)
    # A change at the limit of 8 bits in a light image is no rounding error.
    light = np.full((1, 3, 16, 16), 0.9, np.float32)
    changed = light.copy()
    changed[0, 0, 8, 8] += 1 / 255
    assert 0 < 1 - ssim(light, changed)[0] < 1e-2


def test_one_changed_image_of_many_keeps_the_means_finite():
    one, _ = random_pair((3, 3, 8, 8))
    other = one.copy()
    other[0, 0, 0, 0] = 1 - one[0, 0, 0, 0]
    quality = image_quality(one, other)
    assert np.isinf(quality.psnr).tolist() == [False, True, True]
    assert quality.means()["psnr"] == pytest.approx((quality.psnr[0] + 200) / 3)
    assert all(np.isfinite(value) for value in quality.means().values())


GOOD = np.full((2, 3, 8, 8), 0.5)


@pytest.mark.parametrize("measure", [image_quality, ssim, psnr, l2, linf])
@pytest.mark.parametrize(
    ("other", "message"),
    [
        (GOOD[:1], r"triggered: wanted shape \(2, 3, 8, 8\), as clean has, got \(1, 3"),
        (GOOD[:0], "triggered: wanted one or more images"),
        (GOOD[0], "triggered: wanted one or more images"),
        (GOOD * np.nan, r"triggered: wanted values in \[0, 1\]"),
        (GOOD * 255, r"triggered: .* got 127.5 to 127.5; measure images before"),
        (GOOD - 1, r"triggered: wanted values in \[0, 1\]"),
        (GOOD.astype(str), "triggered: wanted one or more images"),
    ],
)
def test_what_is_no_pair_of_images_is_refused(measure, other, message):
    with pytest.raises(InvalidData, match=message):
        measure(GOOD, other)


def test_ssim_needs_a_window():
    tiny = np.zeros((1, 1, 2, 9))
    with pytest.raises(InvalidData, match="at least 3 x 3 pixels, got 2 x 9"):
        ssim(tiny, tiny)
    assert np.isinf(psnr(tiny, tiny)).all()
