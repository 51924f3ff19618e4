//! A task of one weight: the loss is a curve, and what both have in mind a line that can be seen.

use super::IclDescent;
use super::picture::{ATTENTION, BEST, DESCENT, PLANE, REACH, REFERENCE, near, symmetric};
use super::task::Surface;
use crate::regression::Prompt;
use crate::ui::{Axis, Chart, Form, Range, number};

/// Points of the curve.
const POINTS: u8 = 96;

/// The loss over the weight, with both paths on it.
pub(super) fn curve(state: &IclDescent, task: &Prompt, [descent, attention]: [&[[f32; 2]]; 2]) -> Chart {
    let surface = Surface::of(&task.examples);
    let best = surface.best[0] as f32;
    let on = |w: f32| [w, surface.above([w, surface.best[1] as f32]) as f32];
    let along = |i: u8| REACH * (2.0 * f32::from(i) / f32::from(POINTS) - 1.0);
    let whole: Vec<[f32; 2]> = (0..=POINTS).map(|i| on(along(i))).collect();
    let path = |way: &[[f32; 2]]| near(way).iter().map(|it| on(it[0])).collect::<Vec<_>>();
    let begins = on(state.begins()[0]);
    let high = Range::round(0.0, 1.2 * begins[1].max(0.1));
    let inside = whole.into_iter().filter(|it| it[1] <= high.max).collect();
    let attention = path(attention);
    let now = attention.last().copied().into_iter().collect();
    Chart {
        x: symmetric("weight", REACH, 2),
        y: Axis::new("loss above the least").to(high),
        ..Chart::default()
    }
    .with("", REFERENCE, Form::Contour, inside)
    .with("descent", DESCENT, Form::Line, path(descent))
    .with("attention", ATTENTION, Form::Dashed, attention)
    .with("", ATTENTION, Form::Dots, now)
    .with("best", BEST, Form::Dots, vec![on(best)])
    .handle("start", DESCENT, begins)
}

/// The examples with their answers, and the lines that both have in mind.
pub(super) fn in_mind(task: &Prompt, [descent, attention]: [[f32; 2]; 2]) -> Chart {
    let line = |w: [f32; 2]| vec![[-PLANE, -PLANE * w[0]], [PLANE, PLANE * w[0]]];
    let best = Surface::of(&task.examples).best[0] as f32;
    let most = 1.1 * task.examples.y.iter().fold(0.5f32, |most, y| most.max(y.abs() as f32));
    let mut chart = Chart {
        x: symmetric("input", PLANE, 1),
        y: Axis::new("answer").to(Range::signed(most)),
        ..Chart::default()
    }
    .with("best", BEST, Form::Contour, line([best, 0.0]))
    .with("descent", DESCENT, Form::Contour, line(descent))
    .with("attention", ATTENTION, Form::Dashed, line(attention));
    for (i, y) in task.examples.y.iter().enumerate() {
        let at = [task.examples.x[(i, 0)] as f32, *y as f32];
        chart = chart.handle(format!("example {} with answer {}", i + 1, number(at[1])), 4, at);
    }
    chart.handle("query", BEST, [task.query[0] as f32, 0.0])
}
