//! Every exhibit at every size: nothing overlaps, nothing is cut, the picture has its share, and the first knobs are in sight.

mod window;

use egui::accesskit::Role;
use egui::{Rect, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use vitrine::app::TileReport;
use vitrine::exhibits::all;
use vitrine::ui::Size;
use window::{Window, report, setup};

fn window(link: &str, size: [f32; 2]) -> Window {
    window::open(setup(link, all()), size)
}

/// Draws frames until every tile shows what was computed here, and nothing runs any more.
#[track_caller]
fn settle(window: &mut Window) {
    window::settle(window, |it| it.computing || !(it.live && it.ready));
}

/// What a pointer can press, with what it says.
fn controls(window: &Window) -> Vec<(Role, String, Rect)> {
    let pressed = |role| {
        matches!(
            role,
            Role::Button
                | Role::CheckBox
                | Role::RadioButton
                | Role::ComboBox
                | Role::Slider
                | Role::SpinButton
                | Role::TextInput
        )
    };
    let nodes = window.get_all(egui_kittest::kittest::By::new().predicate(move |it| pressed(it.role())));
    let named = |it: &egui_kittest::Node<'_>| {
        let node = it.accesskit_node();
        (node.role(), node.label().or(node.value()).unwrap_or_default(), it.rect())
    };
    nodes.map(|it| named(&it)).filter(|it| it.2.is_positive()).collect()
}

/// What is wrong with what is on the screen.
fn faults(window: &Window, screen: Rect, scale: f32) -> Vec<String> {
    let mut faults = vec![];
    let report = report(window);
    for TileReport { exhibit, size, tile, picture, main, knobs } in &report.tiles {
        // A card shows what is essential alone. Elsewhere all panels are measured together, as a square in a tile of 1920 x 800
        // has 40 % of it at most, and each panel beside it takes its share: there the essential one has at least a tenth, or,
        // in a long tile, half of the height.
        let (shown, least) = if *size == Size::Card { (main, 0.3) } else { (picture, 0.4) };
        let [share, own] = [shown, main].map(|it| it.area() / tile.area());
        let own = if main.height() >= 0.5 * picture.height() { own.max(0.1) } else { own };
        // A page of a phone with large type has no room for 40 %.
        if (share < least || own < 0.1) && tile.height() / scale >= 300.0 {
            let [share, own] = [share, own].map(|it| 100.0 * it);
            faults.push(format!(
                "{exhibit}: the picture has {share:.0} % of the tile, the essential panel {own:.0} %"
            ));
        }
        let half = tile.width() / scale >= 600.0 && tile.height() / scale >= 420.0;
        if half && (!knobs.is_positive() || knobs.top() + 20.0 * scale > tile.bottom()) {
            faults.push(format!("{exhibit}: no knob in sight"));
        }
    }
    // What begins in the picture and is longer than its room scrolls there, and is seen as far as the picture goes.
    let pictures: Vec<Rect> = report.tiles.iter().map(|it| it.picture).collect();
    let seen = |rect: Rect| {
        let inside = pictures.iter().find(|it| it.expand(5.0).contains(rect.left_top()));
        inside.map_or(rect, |it| rect.intersect(*it))
    };
    let controls: Vec<(Role, String, Rect)> =
        controls(window).into_iter().map(|(role, name, rect)| (role, name, seen(rect))).collect();
    let tile = report.tiles.first().map_or(Rect::NOTHING, |it| it.tile);
    for (i, (role, name, rect)) in controls.iter().enumerate() {
        if tile.contains(rect.center()) && rect.right() > screen.right() + 1.0 {
            faults.push(format!("{role:?} “{name}” is cut: {rect:?}"));
        }
        for (other, name_, rect_) in &controls[..i] {
            let common = rect.intersect(*rect_);
            // A slider's number stands at its end; what lies in a list that scrolls is cut by the list.
            let touches = common.width() > 2.0 && common.height() > 2.0;
            // Handles of a chart, "name: x, y", lie where their points do, which may be close together.
            let handle = |role: &Role, name: &str| *role == Role::Slider && name.contains(": ");
            let touches = touches && !(handle(role, name) && handle(other, name_));
            if touches && tile.contains(common.center()) {
                faults.push(format!("{role:?} “{name}” lies over {other:?} “{name_}”: {common:?}"));
            }
        }
    }
    let labels = window.get_all(egui_kittest::kittest::By::new().predicate(|it| it.role() == Role::Label));
    for node in labels {
        let (words, rect) = (node.accesskit_node().value().unwrap_or_default(), node.rect());
        let longest = words.split_whitespace().map(|it| it.chars().count()).max().unwrap_or(0);
        // Letters are at least 3.5 points wide in the smallest type that is used.
        if rect.is_positive() && rect.width() < 3.5 * scale * longest.min(12) as f32 {
            faults.push(format!("“{words}” is narrower than its longest word: {rect:?}"));
        }
    }
    faults
}

/// Every width from 320 to 2560 in steps of 40, three heights, three sizes of type.
#[test]
fn every_exhibit_fits_every_size() {
    let mut faults_of_all = vec![];
    for entry in all() {
        for type_ in [100u16, 150, 200] {
            let id = entry.card.id;
            let mut window = window(&format!("#v1;size={type_};tiles=(exhibit:{id})"), [1280.0, 800.0]);
            settle(&mut window);
            for width in (320..=2560).step_by(40) {
                for height in [540.0, 800.0, 1200.0] {
                    let size = vec2(width as f32, height);
                    window.set_size(size);
                    // The room below the picture is known after a frame.
                    (0..3).for_each(|_| window.step());
                    let screen = Rect::from_min_size(egui::Pos2::ZERO, size);
                    let found = faults(&window, screen, f32::from(type_) / 100.0);
                    let at = format!("{id} {width}x{height} {type_} %");
                    faults_of_all.extend(found.into_iter().take(2).map(|it| format!("{at}: {it}")));
                }
            }
        }
    }
    let n = faults_of_all.len();
    assert!(n == 0, "{n} faults:\n{}", faults_of_all[..n.min(400)].join("\n"));
}

/// Five exhibits side by side: each picture whole, each with its first knobs.
#[test]
fn five_exhibits_share_a_screen() {
    let tile = |i: usize| format!("(exhibit:{})", all()[i].card.id);
    let link = format!(
        "#v1;tiles=(split:column,parts:((split:row,parts:({},{},{})),(split:row,parts:({},{}))))",
        tile(0),
        tile(1),
        tile(2),
        tile(3),
        tile(4)
    );
    for size in [vec2(1920.0, 1080.0), vec2(1440.0, 900.0)] {
        let mut window = window(&link, size.into());
        settle(&mut window);
        let report = report(&window);
        assert_eq!(report.tiles.len(), 5);
        for TileReport { exhibit, tile, picture, knobs, .. } in report.tiles {
            assert!(picture.area() > 0.4 * tile.area(), "{exhibit}: {picture:?} of {tile:?}");
            assert!(tile.expand(1.0).contains_rect(picture), "{exhibit} is cut: {picture:?} of {tile:?}");
            assert!(knobs.bottom() <= tile.bottom() + 1.0, "{exhibit}: knobs at {knobs:?} of {tile:?}");
        }
    }
}

/// Sixty-two exhibits are a grid, of which only what is in sight is drawn.
#[test]
fn the_gallery_is_a_grid_at_any_width() {
    for width in [320.0, 640.0, 1280.0, 2560.0] {
        let many = (0..62).map(|i| all().swap_remove(i % all().len())).collect();
        let mut window = window::open(setup("#v1;gallery=true", many), [width, 900.0]);
        (0..6).for_each(|_| window.step());
        let cards: Vec<Rect> =
            controls(&window).into_iter().filter(|it| it.1.starts_with("Open ")).map(|it| it.2).collect();
        // At most four rows of cards of 344 points, 304 wide at least, are in sight, one of them in part.
        let most = 4 * ((width / 304.0) as usize).max(1);
        assert!((1..=most).contains(&cards.len()), "{width}: {} cards", cards.len());
        for (i, a) in cards.iter().enumerate() {
            assert!(a.left() >= 0.0 && a.right() <= width, "{width}: {a:?}");
            assert!(cards[..i].iter().all(|b| !a.shrink(1.0).intersects(b.shrink(1.0))), "{width}: {a:?}");
        }
    }
}
