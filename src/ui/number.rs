//! Numbers for people.

/// `x` in three or four significant digits: "0.412", "12.3", "1.2e-7".
pub fn number(x: f32) -> String {
    format!("{x:.3}")
}
