//! Pictures as data: what a panel shows, from which screen, read-out, figure and numbers follow.

use std::sync::Arc;

use super::{Seen, Sign, Words};
use crate::focus::Spot;
use crate::trace::Kept;
use crate::ui::{Bars, Body, Chart, Divided, Maps, Mark, Peak, Range, Scale, Table};

/// What a panel shows.
#[derive(Clone, Default)]
pub enum Picture {
    /// What the exhibit draws itself.
    #[default]
    Own,
    /// One map, large, with words on both axes.
    Cells(Box<Cells>),
    /// Maps without words, beside each other.
    Fields(Fields),
    /// The heads of all layers.
    Heads(Heads),
    /// Series of points.
    Chart(Chart),
    /// Bars with names.
    Bars(Bars),
    /// Words on colours.
    Words(Words),
    /// The picture that all tiles look at.
    Seen(Seen),
}

/// One map that a tensor holds, and its colours.
#[derive(Clone)]
pub struct Map {
    /// The tensor, `[.., row, col]`.
    pub kept: Kept,
    /// Which of its maps.
    pub index: usize,
    /// Rows of the map.
    pub rows: usize,
    /// Columns of the map.
    pub cols: usize,
    /// The numbers at the ends of the scale.
    pub range: Range,
    /// The colours.
    pub scale: Scale,
    /// What its values are divided by before they are coloured, and whether it holds one for every row.
    pub peak: Option<(Kept, bool)>,
}

impl Map {
    /// Map `index` of a tensor `[.., row, col]`, coloured from 0 to 1; none of a tensor without rows and columns.
    pub fn of(kept: &Kept, index: usize) -> Option<Self> {
        let [.., rows, cols] = kept.shape[..] else { return None };
        let (range, scale) = (Range::UNIT, Scale::Sequential);
        Some(Self { kept: kept.clone(), index, rows, cols, range, scale, peak: None })
    }

    /// Coloured from zero both ways, `most` at the ends.
    #[must_use]
    pub fn signed(self, most: f32) -> Self {
        Self { range: Range::signed(most), scale: Scale::Diverging, ..self }
    }

    /// Coloured between these ends.
    #[must_use]
    pub fn to(self, range: Range, scale: Scale) -> Self {
        Self { range, scale, ..self }
    }

    /// Divided by its largest value, or each row by its own, before it is coloured.
    #[must_use]
    pub fn over(self, peak: Option<&Kept>, per_row: bool) -> Self {
        Self { peak: peak.map(|it| (it.clone(), per_row)), ..self }
    }

    /// For the painter of heat maps.
    pub fn maps(&self) -> Maps<'_> {
        let peak = self.peak.as_ref().map(|(tensor, per_row)| Peak { tensor, per_row: *per_row });
        Maps {
            tensor: &self.kept,
            rows: self.rows,
            cols: self.cols,
            peak,
            range: self.range,
            scale: self.scale,
        }
    }

    /// Its values, row by row, once they are at hand.
    pub fn values(&self) -> Option<Arc<[f32]>> {
        let area = self.rows * self.cols;
        self.kept.window(self.index * area..(self.index + 1) * area)
    }

    /// One value, once it is at hand.
    pub fn value(&self, row: usize, col: usize) -> Option<f32> {
        self.values()?.get(row * self.cols + col).copied().filter(|_| row < self.rows && col < self.cols)
    }

    /// Row and column of a place in thousandths of the sides.
    pub fn cell(&self, at: [u16; 2]) -> [usize; 2] {
        [(at[0], self.rows), (at[1], self.cols)].map(|(it, n)| usize::from(it) * n / 1000)
    }

    /// The value at a place in thousandths of the sides, once it is at hand.
    pub fn at(&self, at: [u16; 2]) -> Option<f32> {
        let [row, col] = self.cell(at);
        self.value(row, col)
    }

    /// The value at a place in thousandths of the sides, of the map's largest where that divides it.
    pub fn share(&self, at: [u16; 2]) -> Option<f32> {
        let value = self.at(at)?;
        match &self.peak {
            Some((peak, false)) => Some(value / peak.window(0..1)?[0].max(f32::MIN_POSITIVE)),
            _ => Some(value),
        }
    }

    /// What the values were divided by.
    pub fn divided(&self) -> Divided {
        match self.peak {
            None => Divided::Not,
            Some((_, true)) => Divided::Row,
            Some((_, false)) => Divided::Map,
        }
    }
}

/// One map, large: the first row is on top.
#[derive(Clone)]
pub struct Cells {
    /// The map.
    pub map: Map,
    /// What rows and columns are: "query", "key".
    pub axes: [&'static str; 2],
    /// What stands at every row and every column.
    pub words: [Vec<String>; 2],
    /// What the values are: "attention weight".
    pub value: String,
    /// Other numbers of the same cells, by name, for the read-out.
    pub also: Vec<(&'static str, Map)>,
    /// Layer and head that the map belongs to.
    pub spot: Spot,
    /// As lines between words in this hue, rather than as cells.
    pub lines: Option<usize>,
}

/// Maps beside each other, in as many rows as let them be largest.
#[derive(Clone, Default)]
pub struct Fields {
    /// The maps.
    pub fields: Vec<Field>,
    /// What the values are: "answer".
    pub value: &'static str,
    /// Whether they lie over a picture, so that the cursor's place in it is theirs.
    pub linked: bool,
    /// What the legend says; `None`: there is none.
    pub legend: Option<String>,
    /// Points that lie over every map: column and row from 0 to 1, and on which side of zero they are.
    pub dots: Vec<([f32; 2], bool)>,
    /// What a click does, in words; nothing if empty.
    pub click: &'static str,
    /// What is said of the place that is looked at, instead of the numbers of all maps; numbers are then as they are, not of
    /// the map's largest.
    pub said: Option<String>,
}

/// One of several maps.
#[derive(Clone, Default)]
pub struct Field {
    /// The map; grey while there is none.
    pub map: Option<Map>,
    /// What it is.
    pub name: String,
    /// A few signs in its corner; none if empty.
    pub note: String,
    /// Whether it is chosen.
    pub lit: bool,
    /// A line over it: columns and rows from 0 to 1; none if empty.
    pub line: Vec<[f32; 2]>,
    /// Other numbers of the same places, by name, for the read-out.
    pub also: Vec<(String, Map)>,
    /// What stands before it, where maps make an equation: they stand in one line then.
    pub sign: Option<Sign>,
}

impl Field {
    /// A map with its name.
    pub fn new(map: Option<Map>, name: impl Into<String>) -> Self {
        Self { map, name: name.into(), ..Self::default() }
    }
}

/// The heads of all layers as thumbnails: layers downwards, heads across.
#[derive(Clone)]
pub struct Heads {
    /// The maps of every layer; the first is of head 0.
    pub layers: Vec<Map>,
    /// Heads of a layer.
    pub heads: usize,
    /// The head that is lit.
    pub spot: Spot,
    /// What stands out of each, layer by layer.
    pub marks: Vec<Mark>,
    /// What each is, in words, layer by layer.
    pub names: Vec<String>,
    /// What rows and columns of every map are.
    pub tokens: Vec<String>,
    /// What the colours of the marks are.
    pub legend: Vec<Label>,
}

/// Words of a legend that can be clicked.
#[derive(Clone)]
pub struct Label {
    /// What they say.
    pub words: String,
    /// The colour that they explain.
    pub colour: egui::Color32,
    /// Whether they are chosen.
    pub lit: bool,
    /// What a click does, in words.
    pub click: &'static str,
}

/// What somebody did to a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Touch {
    /// Clicked a bar, a map, a line of words or a word of the legend, by its number.
    Clicked(usize),
    /// Clicked a head of a layer; `true`: with the other button, or long.
    Head([usize; 2], bool),
    /// Dragged a handle, by its number, to a place in the chart's numbers.
    Dragged(usize, [f32; 2]),
}

/// In a figure, the map of a head has at most so many rows and columns.
const MOST: usize = 16;

impl Picture {
    /// The picture in numbers, for papers; `None` while they are not at hand, or where the exhibit draws it.
    pub fn body(&self) -> Option<Body> {
        match self {
            Self::Own => None,
            Self::Cells(it) => it.table().map(Body::Table),
            Self::Fields(it) => it.table().map(Body::Table),
            Self::Heads(it) => it.table().map(Body::Table),
            Self::Chart(it) => Some(Body::Chart(it.clone())),
            Self::Bars(it) => Some(Body::Bars(it.clone())),
            Self::Words(it) => it.table().map(Body::Table),
            Self::Seen(it) => it.table().map(Body::Table),
        }
    }
}

impl Cells {
    fn table(&self) -> Option<Table> {
        let ([y_label, x_label], [y_tokens, x_tokens]) = (self.axes.map(str::to_owned), self.words.clone());
        let (values, range, scale) = (self.map.values()?.to_vec(), self.map.range, self.map.scale);
        Some(Table { x_label, y_label, x_tokens, y_tokens, values, range, scale })
    }
}

impl Fields {
    /// The maps beside each other, as high as the highest, an empty column between them. Where there are several, each is
    /// divided by what divides it on the screen.
    fn table(&self) -> Option<Table> {
        let maps: Vec<(&Map, &str)> =
            self.fields.iter().filter_map(|it| Some((it.map.as_ref()?, &*it.name))).collect();
        let high = maps.iter().map(|it| it.0.rows).max()?;
        let (range, scale) = (maps[0].0.range, maps[0].0.scale);
        let values: Vec<Arc<[f32]>> = maps.iter().map(|it| it.0.values()).collect::<Option<_>>()?;
        let by = |map: &Map| {
            Some(
                map.peak.as_ref().map_or(Some(1.0), |it| Some(it.0.window(0..1)?[0]))?.max(f32::MIN_POSITIVE),
            )
        };
        let by: Vec<f32> = maps.iter().map(|it| by(it.0)).collect::<Option<_>>()?;
        let mut table = Table {
            x_label: "column".to_owned(),
            y_label: "row".to_owned(),
            range,
            scale,
            ..Table::default()
        };
        table.y_tokens = (0..high).map(|i| i.to_string()).collect();
        for (m, (map, name)) in maps.iter().enumerate() {
            let gap = usize::from(m > 0);
            table.x_tokens.extend((0..gap).map(|_| String::new()));
            table.x_tokens.extend((0..map.cols).map(|j| format!("{name} {j}").trim().to_owned()));
        }
        for row in 0..high {
            for (m, (map, _)) in maps.iter().enumerate() {
                table.values.extend((0..usize::from(m > 0)).map(|_| f32::NAN));
                let from = row * map.rows / high * map.cols;
                table.values.extend(values[m][from..from + map.cols].iter().map(|it| it / by[m]));
            }
        }
        Some(table)
    }
}

impl Heads {
    /// All heads as one map of maps. Where a head has many tokens, cells of its map are joined and show the largest of theirs.
    fn table(&self) -> Option<Table> {
        let first = self.layers.first()?;
        let (n, heads) = (first.rows, self.heads);
        let side = n.min(MOST);
        let span = |i: usize| i * n / side..(i + 1) * n / side;
        let mut values = vec![];
        for layer in &self.layers {
            let all = layer.kept.window(0..heads * n * n)?;
            for (i, h, j) in
                (0..side).flat_map(|i| (0..heads).flat_map(move |h| (0..side).map(move |j| (i, h, j))))
            {
                let cells = span(i).flat_map(|q| span(j).map(move |k| (h * n + q) * n + k)).map(|it| all[it]);
                values.push(cells.fold(0.0f32, |most, x| if x.abs() > most.abs() { x } else { most }));
            }
        }
        let token = |i: usize| self.tokens.get(span(i).start).map_or("", String::as_str);
        let tokens =
            |count: usize| (0..count * side).map(|i| format!("{}: {}", i / side, token(i % side))).collect();
        Some(Table {
            x_label: "head: key".to_owned(),
            y_label: "layer: query".to_owned(),
            x_tokens: tokens(heads),
            y_tokens: tokens(self.layers.len()),
            values,
            range: first.range,
            scale: first.scale,
        })
    }
}
