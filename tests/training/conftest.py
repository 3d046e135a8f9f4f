"""Small painted pictures, as the data room's tests have them."""

from ..data.conftest import animals, heard, paint, spec

__all__ = ["animals", "heard", "paint", "spec"]
