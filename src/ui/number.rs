//! Numbers for people.

/// `x` in three significant digits, without noise: "0.412", "12.3", "1234", "1.2e-7", "0".
pub fn number(x: f32) -> String {
    let size = x.abs();
    if x.is_nan() {
        return "–".to_owned();
    }
    if size == 0.0 {
        return "0".to_owned();
    }
    if x.is_infinite() || !(1e-3..1e5).contains(&size) {
        return scientific(x);
    }
    // What rounds up to the next power of ten has that power's digits: 0.9996 is "1.00".
    let digits = (size * 1.000_499).log10().floor() as i32;
    let text = format!("{x:.*}", (2 - digits).max(0) as usize);
    text.replace('-', "−")
}

/// A round number, without trailing zeros: "0.5", "1".
pub(super) fn short(x: f32) -> String {
    let text = number(x);
    if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

fn scientific(x: f32) -> String {
    if x.is_infinite() {
        return if x > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    let text = format!("{x:.1e}");
    match text.strip_prefix('-') {
        Some(rest) => format!("−{rest}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_have_three_digits() {
        for (x, text) in [
            (0.412_34, "0.412"),
            (0.0, "0"),
            (1.0, "1.00"),
            (-3.184, "−3.18"),
            (12.345, "12.3"),
            (123.45, "123"),
            (1_234.5, "1234"),
            (0.001_234, "0.00123"),
            (0.999_6, "1.00"),
            (0.000_999, "1.0e-3"),
            (1.2e-7, "1.2e-7"),
            (-4.5e-9, "−4.5e-9"),
            (1.5e6, "1.5e6"),
            (f32::NAN, "–"),
            (f32::NEG_INFINITY, "−∞"),
        ] {
            assert_eq!(number(x), text, "{x:e}");
        }
    }
}
