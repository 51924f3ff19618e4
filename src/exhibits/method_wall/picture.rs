//! The wall for a picture: all maps on one scale, and two of them put to the test.

use super::MethodWall;
use super::words::Wall;
use crate::exhibits::looking::Looking;
use crate::page::{Field, Fields, Map, Page, Picture, Room, column, panel, row};
use crate::saliency::masking::STEPS;
use crate::saliency::method::Method;
use crate::ui::{Axis, Chart, Form, Range, Scale};

/// The panels.
pub(super) fn page(state: &MethodWall, wall: &Wall<'_>) -> Option<Page> {
    wall.trace.get("maps.0").filter(|it| it.shape.len() == 2)?;
    let for_class = |words: &str| format!("{words} {}", wall.class);
    let evidence = if wall.forgotten > 0 { "Evidence before forgetting" } else { "Evidence" };
    let square = Room::shaped(1.0, [165.0, 130.0], [0.0, 70.0]).at_most_high(210.0);
    let over = wall.map(wall.pair.a).map(|it| it.to(Range::UNIT, Scale::Saliency));
    let seen = panel("picture", 1, Looking::ROOM)
        .titled(for_class(&format!("{} for", wall.name(wall.pair.a))))
        .shows(Picture::Seen(state.looking.seen(wall.trace, over)));
    let room = Room::fill(150.0, 90.0).at_most_wide(260.0).at_most_high(180.0);
    let classes = state.looking.classes(wall.trace).unwrap_or_default();
    let curve = |name, rank, title: &str| {
        let room = Room::fill(210.0, 130.0).at_most_high(210.0);
        let chart = wall.tested(name).map(Picture::Chart).unwrap_or_default();
        panel(name, rank, room).titled(title).shows(chart).into()
    };
    Some(row([
        column([seen.into(), panel("classes", 5, room).titled(evidence).shows(classes).into()]),
        column([
            panel("all methods", 0, Room::fill(250.0, 190.0))
                .titled(wall.title())
                .noted(wall.note())
                .read("Each map is divided by its largest value.")
                .shows(Picture::Fields(wall.maps()))
                .into(),
            row([
                panel("A minus B", 2, square)
                    .titled(for_class("A − B for"))
                    .shows(Picture::Fields(wall.difference()))
                    .into(),
                curve("deletion", 3, "Take the important away"),
                curve("insertion", 4, "Show only the important"),
            ]),
        ]),
    ]))
}

impl Wall<'_> {
    fn index(&self, method: Method) -> Option<usize> {
        self.methods.iter().position(|it| *it == method)
    }

    /// A method's map.
    pub(super) fn map(&self, method: Method) -> Option<Map> {
        let name = format!("maps.{}", self.index(method)?);
        let map = Map::of(self.trace.get(&name)?, 0)?;
        Some(map.over(self.trace.get(&format!("{name}.peak")), false))
    }

    /// All maps; what is clicked becomes A. A letter in the corner leaves the name its room.
    fn maps(&self) -> Fields {
        let field = |(i, method): (usize, &Method)| Field {
            note: format!("{} {}", self.letter(*method), self.sanity(i)).trim().to_owned(),
            lit: self.lit(*method),
            ..Field::new(self.map(*method), method.name())
        };
        Fields {
            fields: self.methods.iter().enumerate().map(field).collect(),
            value: "saliency",
            linked: true,
            legend: Some(String::new()),
            click: "A click makes it A.",
            ..Fields::default()
        }
    }

    /// A minus B, and how much they agree.
    fn difference(&self) -> Fields {
        let [a, b] = [self.pair.a, self.pair.b];
        let map = |name: &str| Some(Map::of(self.trace.get(name)?, 0)?.signed(1.0));
        let also = [(a, "compared.a"), (b, "compared.b")];
        let also = also.into_iter().filter_map(|(it, name)| Some((self.name(it), map(name)?))).collect();
        let field = Field { also, ..Field::new(map("difference"), self.agreement()) };
        let legend = Some(format!("{} − {}", a.name(), b.name()));
        Fields { fields: vec![field], value: "A − B", linked: true, legend, ..Fields::default() }
    }

    /// The evidence for the class while the important places go (or come), for both methods.
    fn tested(&self, what: &str) -> Option<Chart> {
        let read = |what: &str, name: &str| self.trace.get(&format!("{what}.{name}"))?.window(0..STEPS + 1);
        // Both charts have one scale.
        let all = ["deletion", "insertion"].iter().flat_map(|it| [read(it, "a"), read(it, "b")]).flatten();
        let (low, high) = all.fold((0.0f32, 1.0f32), |ends, values| {
            values.iter().fold(ends, |(low, high), y| (low.min(*y), high.max(*y)))
        });
        let ticks = [0.0f32, 50.0, 100.0].map(|it| (it, format!("{it} %")));
        let x = if what == "deletion" { "of all places black" } else { "of all places shown" };
        let y = Axis::new(format!("evidence for {} (logit)", self.class)).to(Range::round(low, high));
        let mut chart = Chart { x: Axis::new(x).ticks(ticks), y, ..Chart::default() };
        for (method, name, form) in [(self.pair.a, "a", Form::Line), (self.pair.b, "b", Form::Dashed)] {
            let values = read(what, name)?;
            let points =
                values.iter().enumerate().map(|(k, y)| [100.0 * k as f32 / STEPS as f32, *y]).collect();
            chart = chart.with(self.name(method), method.hue(), form, points);
        }
        Some(chart)
    }
}
