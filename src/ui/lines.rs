//! Who looks at whom, as lines between two columns of tokens.

use egui::epaint::{Mesh, Vertex, WHITE_UV};
use egui::{Align2, Color32, Pos2, Rangef, Rect, Role, Sense, WidgetInfo, pos2, vec2};

use super::number::short;
use super::scale::colour;
use super::tokens::{ink, label, lit};
use super::{Hit, Range, Scale, Style};
use crate::focus::Spot;

/// Queries on the left, keys on the right, a line for every weight: opacity is the weight; changes are blue and red.
pub struct Lines<'a> {
    /// Tokens on the left.
    pub queries: &'a [String],
    /// Tokens on the right.
    pub keys: &'a [String],
    /// Weights from 0 to 1, one row a query.
    pub weights: &'a [f32],
    /// Which hue they have, see [`Style::hue`]: the head's number.
    pub hue: usize,
    /// The weights are changes, of which this is the largest: blue is more, red is less, and the hue counts for nothing.
    pub change: Option<f32>,
    /// What is lit: only its lines are drawn in full.
    pub spot: Spot,
}

/// Most lines that are drawn: beyond, the lightest are left out, and the picture says so.
const MOST: usize = 8000;

impl Lines<'_> {
    /// Draws the lines as wide as the space allows; the height follows from the tokens.
    pub fn show(&self, ui: &mut egui::Ui, style: &Style) -> Hit {
        let plan = Plan::new(self, ui, style);
        let (area, response) = ui.allocate_exact_size(vec2(plan.width, plan.height), Sense::click());
        let plan = Plan { corner: area.min, ..plan };
        let least = self.least();
        ui.painter().add(self.mesh(&plan, style, least));
        self.labels(&plan, ui, style);
        let said = match self.change {
            Some(most) => {
                format!("Blue is more, red is less; under {} nothing is drawn.", short(least * most))
            }
            None => format!("Opacity is the weight; under {} nothing is drawn.", short(least)),
        };
        let at = pos2(area.center().x, area.bottom());
        ui.painter().text(at, Align2::CENTER_BOTTOM, said, style.regular(style.caption), style.secondary);
        let at = response.interact_pointer_pos().or(response.hover_pos());
        let (query, key) = at.map_or((None, None), |at| self.under(&plan, at));
        response.widget_info(|| {
            let lit = lit(self.queries, self.keys, self.spot);
            let (left, right) = (self.queries.len(), self.keys.len());
            WidgetInfo::labeled(Role::Image, true, format!("lines from {left} queries to {right} keys{lit}"))
        });
        Hit { query, key, clicked: response.clicked(), response }
    }

    /// How strong a line is, from 0 to 1.
    fn strength(&self, weight: f32) -> f32 {
        self.change.map_or(weight, |most| weight.abs() / most)
    }

    fn colour(&self, style: &Style, weight: f32, full: bool) -> Color32 {
        let faint = if full { 1.0 } else { 0.1 };
        let Some(most) = self.change else {
            return style.hue(self.hue).gamma_multiply((weight * faint).min(1.0));
        };
        colour(Scale::Diverging, style.dark, Range::signed(most).place(weight)).gamma_multiply(faint)
    }

    /// Half of a line's width, in points at scale 1.
    fn half(&self, weight: f32) -> f32 {
        0.75 + if self.change.is_some() { 3.0 } else { 1.5 } * self.strength(weight)
    }

    /// Whether the lit tokens leave this line in full.
    fn lit(&self, query: usize, key: usize) -> bool {
        match (self.spot.query, self.spot.key) {
            (Some(lit), _) => lit == query,
            (None, Some(lit)) => lit == key,
            (None, None) => true,
        }
    }

    /// The smallest of a few round weights that leaves at most [`MOST`] lines.
    fn least(&self) -> f32 {
        let lines = |least: f32| self.weights.iter().filter(|&&x| self.strength(x) >= least).count();
        [0.02, 0.05, 0.1, 0.2].into_iter().find(|&least| lines(least) <= MOST).unwrap_or(0.5)
    }

    /// All lines as one mesh: those that are not lit first, faint, then the lit ones.
    fn mesh(&self, plan: &Plan, style: &Style, least: f32) -> Mesh {
        let mut mesh = Mesh::default();
        let steps = (200_000 / self.weights.len().max(1)).clamp(1, 20);
        for full in [false, true] {
            for (i, row) in self.weights.chunks_exact(self.keys.len().max(1)).enumerate() {
                for (j, &weight) in row.iter().enumerate().filter(|it| self.strength(*it.1) >= least) {
                    if self.lit(i, j) == full {
                        let (ends, half) = ([plan.query(i), plan.key(j)], self.half(weight) * style.scale);
                        ribbon(&mut mesh, ends, half, self.colour(style, weight, full), steps);
                    }
                }
            }
        }
        mesh
    }

    /// Both columns; the partners of a lit token stand on a ground as strong as their weight.
    fn labels(&self, plan: &Plan, ui: &egui::Ui, style: &Style) {
        let painter = ui.painter();
        let heading = |x: f32, align: Align2, text: &str| {
            painter.text(pos2(x, plan.corner.y), align, text, style.regular(style.caption), style.secondary);
        };
        heading(plan.query(0).x, Align2::RIGHT_TOP, "query");
        heading(plan.key(0).x, Align2::LEFT_TOP, "looks at key");
        let columns = [
            (self.queries, self.spot.query, Align2::RIGHT_CENTER, -1.0, false),
            (self.keys, self.spot.key, Align2::LEFT_CENTER, 1.0, true),
        ];
        for (tokens, lit, align, side, right) in columns {
            for (i, token) in tokens.iter().enumerate() {
                let at = if right { plan.key(i) } else { plan.query(i) } + vec2(side * plan.gap, 0.0);
                let partner = self.partner(i, right);
                if partner > 0.0 {
                    let far = at.x + side * plan.column;
                    let rect = Rect::from_x_y_ranges(
                        Rangef::new(at.x.min(far), at.x.max(far)).expand(plan.gap / 2.0),
                        Rangef::point(at.y).expand(plan.row * 0.46),
                    );
                    painter.rect_filled(rect, style.grid(0.5), style.accent.gamma_multiply(0.5 * partner));
                }
                let colour = ink(style, token, lit == Some(i));
                painter.text(at, align, label(token), style.mono(style.caption), colour);
            }
        }
    }

    /// The weight between the lit token and token `i` of the other column.
    fn partner(&self, i: usize, right: bool) -> f32 {
        let columns = self.keys.len();
        let at = match (self.spot.query, self.spot.key) {
            (Some(query), _) if right => query * columns + i,
            (None, Some(key)) if !right => i * columns + key,
            _ => return 0.0,
        };
        self.weights.get(at).map_or(0.0, |it| self.strength(*it)).clamp(0.0, 1.0)
    }

    fn under(&self, plan: &Plan, at: Pos2) -> (Option<usize>, Option<usize>) {
        let row = |count: usize| {
            let place = (at.y - plan.query(0).y) / plan.row + 0.5;
            (place >= 0.0 && place < count as f32).then_some(place as usize)
        };
        // Half way across, the pointer changes sides.
        if at.x < f32::midpoint(plan.query(0).x, plan.key(0).x) {
            (row(self.queries.len()), None)
        } else {
            (None, row(self.keys.len()))
        }
    }
}

/// Where everything is.
struct Plan {
    corner: Pos2,
    width: f32,
    height: f32,
    /// Width of a column of tokens.
    column: f32,
    /// Height of a token.
    row: f32,
    /// Between token and line.
    gap: f32,
}

impl Plan {
    fn new(lines: &Lines<'_>, ui: &egui::Ui, style: &Style) -> Self {
        let font = style.mono(style.caption);
        let advance = ui.fonts_mut(|fonts| fonts.glyph_width(&font, '0'));
        let longest = lines.queries.iter().chain(lines.keys).map(|token| label(token).chars().count()).max();
        let rows = lines.queries.len().max(lines.keys.len());
        let row = style.caption * 1.6;
        Self {
            corner: Pos2::ZERO,
            width: ui.available_width().min(style.grid(80.0)),
            // A heading above, a sentence below.
            height: (rows as f32 + 2.75) * row,
            column: (longest.unwrap_or(0) as f32 * advance).max(style.caption * 5.0),
            row,
            gap: style.grid(1.0),
        }
    }

    /// The left end of a line.
    fn query(&self, i: usize) -> Pos2 {
        self.corner + vec2(self.column + 2.0 * self.gap, (i as f32 + 1.75) * self.row)
    }

    /// The right end of a line.
    fn key(&self, j: usize) -> Pos2 {
        self.corner + vec2(self.width - self.column - 2.0 * self.gap, (j as f32 + 1.75) * self.row)
    }
}

/// A curve from left to right that leaves and arrives level, soft at both sides.
fn ribbon(mesh: &mut Mesh, ends: [Pos2; 2], half: f32, colour: Color32, steps: usize) {
    let [a, b] = ends;
    let first = mesh.vertices.len() as u32;
    for step in 0..=steps {
        let t = step as f32 / steps as f32;
        let rise = t * t * (3.0 - 2.0 * t);
        let at = pos2(a.x + t * (b.x - a.x), a.y + rise * (b.y - a.y));
        let slope = (b.y - a.y) * if steps == 1 { 1.0 } else { 6.0 * t * (1.0 - t) } / (b.x - a.x).max(1.0);
        let across = vec2(-slope, 1.0) / (1.0 + slope * slope).sqrt() * half;
        for (pos, color) in
            [(at - across, Color32::TRANSPARENT), (at, colour), (at + across, Color32::TRANSPARENT)]
        {
            mesh.vertices.push(Vertex { pos, uv: WHITE_UV, color });
        }
        if step > 0 {
            let v = first + 3 * step as u32;
            for [p, q] in [[v - 3, v - 2], [v - 2, v - 1]] {
                mesh.indices.extend([p, q, p + 3, q, q + 3, p + 3]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lightest_lines_are_left_out_where_there_are_many() {
        let tokens = vec!["a".to_owned(); 100];
        let weights = vec![0.03; 10_000];
        let (weights, spot) = (&*weights, Spot::default());
        let lines = Lines { queries: &tokens, keys: &tokens, weights, hue: 0, change: None, spot };
        assert_eq!(lines.least(), 0.05);
        assert!(Lines { weights: &[], ..lines }.least() < 0.05, "no lines, no threshold");
    }
}
