//! A window of the app, without a screen.

use std::time::{Duration, Instant};

use egui_kittest::Harness;
use vitrine::app::{App, Compute, Report, Setup, Wishes};
use vitrine::exhibits::Entry;
use vitrine::link::Theme;
use vitrine::models::Zoo;

/// A window of the app; there is none before the first frame.
pub(crate) type Window = Harness<'static, Option<App>>;

/// A dark window that computes on the processor, in which these exhibits hang.
pub(crate) fn setup(link: &str, entries: Vec<Entry>) -> Setup {
    Setup {
        link: Some(link.to_owned()),
        compute: Compute::Cpu,
        gpu: Err("none in this test".to_owned()),
        renderer: "native",
        zoo: Zoo::default(),
        wishes: Wishes { theme: Theme::Dark, model: None },
        entries,
    }
}

/// Opens it; nothing is drawn yet.
pub(crate) fn open(setup: Setup, size: [f32; 2]) -> Window {
    let mut setup = Some(setup);
    Harness::builder().with_size(size).with_max_steps(40).build_ui_state(
        move |ui, app: &mut Option<App>| {
            let app = app.get_or_insert_with(|| App::new(ui, setup.take().expect("it opens once")));
            app.tick(ui);
            app.show(ui);
        },
        None,
    )
}

/// What the app says of itself.
pub(crate) fn report(window: &Window) -> Report {
    window.state().as_ref().expect("it is open").report()
}

/// What takes longer never comes, on whatever machine.
pub(crate) const LIMIT: Duration = Duration::from_mins(6);

/// Draws frames, as a window would, until it is no longer `busy`, steps of undo are complete, and nothing moves any more.
#[track_caller]
pub(crate) fn settle(window: &mut Window, busy: impl Fn(&Report) -> bool) {
    let start = Instant::now();
    let mut calm = 0;
    while calm < 8 {
        window.step();
        let it = report(window);
        assert!(start.elapsed() < LIMIT, "it never settles: {it:?}");
        calm = if busy(&it) { 0 } else { calm + 1 };
        std::thread::sleep(Duration::from_millis(2));
    }
}
