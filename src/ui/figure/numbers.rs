//! The numbers of a figure, as text and as an array.

use super::{Body, Table};
use crate::ui::scale::missing;

impl Body {
    /// The numbers as RFC 4180 wants them. Cells: the tokens as headers, a missing value as an empty field. Series: a line for
    /// each point with the series' name. Bars: a line each.
    pub fn csv(&self) -> String {
        match self {
            Self::Table(table) => table.csv(),
            Self::Chart(chart) => {
                let points =
                    chart.series.iter().flat_map(|it| it.points.iter().map(move |at| (&it.name, at)));
                let lines = points.map(|(name, [x, y])| format!("{},{x},{y}\n", quoted(name)));
                let header = format!("series,{},{}\n", quoted(&chart.x.label), quoted(&chart.y.label));
                std::iter::once(header).chain(lines).collect()
            }
            Self::Bars(bars) => {
                let before = |it: Option<f32>| it.map_or_else(String::new, |it| it.to_string());
                let lines = bars.bars.iter();
                let lines =
                    lines.map(|it| format!("{},{},{}\n", quoted(&it.name), it.value, before(it.before)));
                let header = format!("{},{},before\n", quoted(&bars.names), quoted(&bars.label));
                std::iter::once(header).chain(lines).collect()
            }
        }
    }

    /// The numbers as an array of f32 in the format of `NumPy` (version 1.0). Cells: `[row, column]`. Series:
    /// `[point, (series, x, y)]`. Bars: `[bar, (now, before)]`, NaN where there is no before.
    pub fn npy(&self) -> Vec<u8> {
        let (columns, values) = match self {
            Self::Table(table) => (table.x_tokens.len(), table.values.clone()),
            Self::Chart(chart) => {
                let series = chart.series.iter().enumerate();
                (
                    3,
                    series
                        .flat_map(|(i, it)| it.points.iter().flat_map(move |[x, y]| [i as f32, *x, *y]))
                        .collect(),
                )
            }
            Self::Bars(bars) => {
                (2, bars.bars.iter().flat_map(|it| [it.value, it.before.unwrap_or(f32::NAN)]).collect())
            }
        };
        array([values.len() / columns.max(1), columns], &values)
    }
}

impl Table {
    fn csv(&self) -> String {
        let corner = format!("{} \\ {}", self.y_label, self.x_label);
        let header = std::iter::once(&corner).chain(&self.x_tokens).map(|token| quoted(token));
        let mut csv = header.collect::<Vec<_>>().join(",") + "\n";
        for (token, row) in self.y_tokens.iter().zip(self.values.chunks(self.x_tokens.len().max(1))) {
            csv += &quoted(token);
            for &value in row {
                csv.push(',');
                if !missing(value) {
                    csv += &value.to_string();
                }
            }
            csv.push('\n');
        }
        csv
    }
}

fn array(shape: [usize; 2], values: &[f32]) -> Vec<u8> {
    let header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", shape[0], shape[1]);
    // The data begin at a multiple of 64 bytes, after a line break.
    let length = (header.len() + 11).next_multiple_of(64) - 10;
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((length as u16).to_le_bytes());
    file.extend(format!("{header:<width$}\n", width = length - 1).bytes());
    file.extend(values.iter().flat_map(|it| it.to_le_bytes()));
    file
}

/// A field as RFC 4180 wants it.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
