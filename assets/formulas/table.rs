// Written by make.mjs.
&[
    ("attention", include_bytes!("attention.png")),
]
