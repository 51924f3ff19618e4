"""Makes the golden of resizing: what Pillow makes of a picture of random bytes.

    pip install numpy pillow
    python3 tests/golden/photo.py

photo.json: the bytes of a picture 20 wide and 13 high, and for some sides its middle square in that size (BILINEAR).
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image

pixels = np.random.default_rng(0).integers(0, 256, (13, 20, 3), dtype=np.uint8)
middle = Image.fromarray(pixels[:, 3:16])
squares = {side: np.asarray(middle.resize((side, side), Image.BILINEAR)).ravel().tolist() for side in (1, 4, 7, 13, 21)}
golden = {"rgb": pixels.ravel().tolist(), "squares": squares}
(Path(__file__).parent / "photo.json").write_text(json.dumps(golden) + "\n")
