//! One of several words.

/// A row of words of which one is chosen, behind the name of what is chosen.
pub fn choice<T: PartialEq + Copy>(ui: &mut egui::Ui, name: &str, value: &mut T, words: &[(T, &str)]) {
    if !name.is_empty() {
        ui.label(name);
    }
    for (it, words) in words {
        ui.selectable_value(value, *it, *words);
    }
}
