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

/// A bound as it was written, to its last digit: "1.001", "0.95", "5e-4".
pub fn bound(x: f32) -> String {
    if x == 0.0 || (1e-2..1e5).contains(&x.abs()) { format!("{x}") } else { format!("{x:e}") }
}

/// `x` in three significant digits, or in so many more that one sees on which side of `bound` it is.
pub fn beside(x: f32, bound: f32) -> String {
    let plain = (1e-2..1e5).contains(&x.abs());
    let magnitude = if plain { x.abs().log10().floor() as i32 } else { 0 };
    let print = |digits: i32| match x {
        0.0 => "0".to_owned(),
        _ if plain => format!("{x:.*}", (digits - 1 - magnitude).max(0) as usize),
        _ => format!("{x:.*e}", digits as usize - 1),
    };
    let tells = |text: &String| text.parse::<f32>().is_ok_and(|it| (it <= bound) == (x <= bound));
    (3..9).map(print).find(tells).unwrap_or_else(|| print(9))
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
    use super::{beside, bound, number};

    #[test]
    fn bounds_are_printed_as_they_were_written() {
        for (x, text) in
            [(1.001, "1.001"), (0.95, "0.95"), (1.75, "1.75"), (5e-4, "5e-4"), (1e-2, "0.01"), (0.0, "0")]
        {
            assert_eq!(bound(x), text);
        }
    }

    #[test]
    fn what_is_measured_is_seen_to_hold_or_not() {
        for (x, limit, text) in [
            (1.000_2, 1.001, "1.00"),
            (1.001_2, 1.001, "1.0012"),
            (0.949_6, 0.95, "0.950"),
            (0.950_4, 0.95, "0.9504"),
            (0.412_34, 0.95, "0.412"),
            (123.4, 95.0, "123"),
            (1.2e-7, 1e-5, "1.20e-7"),
            (0.0, 0.0, "0"),
            (1.0, 0.95, "1.00"),
        ] {
            assert_eq!(beside(x, limit), text, "{x} beside {limit}");
        }
        assert_eq!(beside(f32::NAN, 1.0), "NaN");
    }

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
