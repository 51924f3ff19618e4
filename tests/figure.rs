//! Figures for papers, read back: SVG is XML whose text is text, PNG has ink, CSV and NPY hold the numbers.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use vitrine::ui::scale::missing;
use vitrine::ui::{Axis, Bar, Bars, Body, Chart, Figure, Form, Range, Scale, Table, install_fonts};

fn table() -> Table {
    let tokens =
        ["[CLS]", "the", "say \"hi\", <b> & 'go'", "##s", "street\u{1}", "été", "Δ", "it"].map(str::to_owned);
    let values = (0..64).map(|i| if i == 63 { -1e30 } else { i as f32 / 63.0 }).collect();
    Table {
        x_label: "key".to_owned(),
        y_label: "query".to_owned(),
        x_tokens: tokens.to_vec(),
        y_tokens: tokens.to_vec(),
        values,
        range: Range::UNIT,
        scale: Scale::Sequential,
    }
}

fn figure() -> Figure {
    Figure {
        title: "Attention, layer 3, head 7".to_owned(),
        caption: "Rows are queries, columns keys. all-MiniLM-L6-v2, Vaswani et al. 2017.".to_owned(),
        body: Body::Table(table()),
        dark: false,
        link: "https://example.org/#v1;a=b&c".to_owned(),
    }
}

/// Curves, a reference, dots and a band.
fn chart() -> Chart {
    let line = |f: &dyn Fn(f32) -> f32| (0..9).map(|i| [i as f32, f(i as f32)]).collect();
    Chart { x: Axis::new("tokens apart"), y: Axis::new("weight"), ..Chart::default() }
        .with("head 1", 1, Form::Line, line(&|x| 0.9f32.powf(x)))
        .with("a, b", 2, Form::Dashed, line(&|x| 0.1 * x))
        .with("dots", 3, Form::Dots, line(&|x| 1.0 - 0.1 * x))
        .with(
            "",
            4,
            Form::Area,
            [line(&|_| 0.2), {
                let mut up: Vec<_> = line(&|_| 0.4);
                up.reverse();
                up
            }]
            .concat(),
        )
}

fn bars() -> Bars {
    let bar = |i: usize| Bar {
        name: format!("class {i}"),
        value: i as f32 - 2.5,
        before: Some(1.0),
        lit: i == 3,
        hue: None,
    };
    Bars {
        label: "logit".to_owned(),
        names: "class".to_owned(),
        bars: (0..6).map(bar).collect(),
        ..Bars::default()
    }
}

#[test]
fn charts_and_bars_are_drawn_and_their_numbers_come_back() {
    let ctx = egui::Context::default();
    install_fonts(&ctx);
    ctx.run_ui(egui::RawInput::default(), |_| {}).textures_delta.clear();
    for (body, count, words) in [
        (Body::Chart(chart()), 27 + 18, ["tokens apart", "weight", "head 1", "a, b"]),
        (Body::Bars(bars()), 6, ["logit", "class 0", "class 5", "before"]),
    ] {
        let figure = Figure { body, ..figure() };
        let texts = texts(&figure.svg().unwrap());
        for words in words.into_iter().chain([&*figure.title]) {
            assert!(texts.iter().any(|it| it.trim() == words), "{words:?} in {texts:?}");
        }
        let rows = parse(&figure.csv());
        assert_eq!(rows.len(), count + 1);
        assert!(rows.iter().all(|it| it.len() == 3), "a name and two numbers");
        let png = figure.png(&ctx, 1.0).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let colours: std::collections::BTreeSet<&[u8]> = pixels.chunks(3).collect();
        assert!(colours.len() > 20, "lines and text: {} colours", colours.len());
        let npy = figure.npy();
        assert!(String::from_utf8_lossy(&npy[..80]).contains(&format!("({count}, ")));
    }
}

#[test]
fn csv_comes_back() {
    let table = table();
    let rows = parse(&figure().csv());
    assert_eq!(rows[0][1..], table.x_tokens);
    for (i, row) in rows[1..].iter().enumerate() {
        assert_eq!(row[0], table.y_tokens[i]);
        for (j, field) in row[1..].iter().enumerate() {
            let value = table.values[8 * i + j];
            assert_eq!(field.parse().ok(), (!missing(value)).then_some(value), "row {i}, column {j}");
        }
    }
}

/// RFC 4180, read.
fn parse(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut field, mut quoted) = (vec![vec![]], String::new(), false);
    let mut letters = csv.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => field.push(letters.next().unwrap()),
            '"' => quoted = !quoted,
            ',' if !quoted => rows.last_mut().unwrap().push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                rows.last_mut().unwrap().push(std::mem::take(&mut field));
                rows.push(vec![]);
            }
            other => field.push(other),
        }
    }
    rows.pop();
    rows
}

#[test]
fn svg_is_xml_and_its_text_is_text() {
    let figure = figure();
    let svg = figure.svg().unwrap();
    let texts = texts(&svg);
    for token in ["[CLS]", "the", "say \"hi\", <b> & '…", "‐s", "street", "été", "Δ", "it"] {
        assert_eq!(texts.iter().filter(|text| text.trim() == token).count(), 2, "{token:?} in {texts:?}");
    }
    for text in [&figure.title, &figure.link, "key", "query", "0", "0.5", "1", "missing"] {
        assert!(texts.iter().any(|it| it.trim() == text), "{text:?} in {texts:?}");
    }
}

#[test]
fn a_link_is_never_cut() {
    let link = |letters: usize| format!("https://example.org/#v1;text={}", "a&b%20".repeat(letters / 6));
    for (letters, lines) in [(0, 1), (40, 2), (120, 3)] {
        let figure = Figure { link: link(letters), ..figure() };
        let texts = texts(&figure.svg().unwrap());
        let last: Vec<&str> = texts[texts.len() - lines..].iter().map(|it| it.trim()).collect();
        assert_eq!(last.concat(), figure.link);
    }
    let figure = Figure { link: link(600), ..figure() };
    let svg = figure.svg().unwrap();
    assert_eq!(texts(&svg).last().unwrap().trim(), "link: see the file's metadata");
    let source = svg.split("<dc:source>").nth(1).and_then(|it| it.split("</dc:source>").next());
    assert_eq!(source.unwrap().replace("&amp;", "&"), figure.link);
    let ctx = egui::Context::default();
    install_fonts(&ctx);
    ctx.run_ui(egui::RawInput::default(), |_| {}).textures_delta.clear();
    let png = png::Decoder::new(std::io::Cursor::new(figure.png(&ctx, 1.0).unwrap())).read_info().unwrap();
    assert_eq!(png.info().utf8_text[0].get_text().unwrap(), figure.link);
}

/// The contents of the text elements; panics where the XML is not well formed.
fn texts(svg: &str) -> Vec<String> {
    let (mut open, mut texts) = (Vec::new(), Vec::new());
    for part in svg.split('<').skip(1) {
        let (tag, content) = part.split_once('>').expect("a tag ends");
        let name = tag.split([' ', '/']).find(|name| !name.is_empty()).unwrap();
        assert_eq!(tag.matches('"').count() % 2, 0, "attributes are quoted: {tag}");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "elements nest");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        for entity in content.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;", "apos;"];
            assert!(known.iter().any(|name| entity.starts_with(name)), "&{entity}");
        }
        assert!(
            !content.contains(|c: char| c.is_control() && c != '\n'),
            "XML 1.0 has no control characters"
        );
        if name == "text" && !tag.starts_with('/') {
            let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
            texts.push(plain.iter().fold(content.to_owned(), |text, (from, to)| text.replace(from, to)));
        }
    }
    assert!(open.is_empty(), "all elements end");
    texts
}

#[test]
fn png_decodes_and_has_ink() {
    let ctx = egui::Context::default();
    install_fonts(&ctx);
    ctx.run_ui(egui::RawInput::default(), |_| {}).textures_delta.clear();
    let figure = Figure { dark: true, ..figure() };
    let bytes = figure.png(&ctx, 2.0).unwrap();
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let svg = figure.svg().unwrap();
    for (name, pixels) in [("width", info.width), ("height", info.height)] {
        let length = svg.split_once(&format!("{name}=\"")).and_then(|it| it.1.split_once('"')).unwrap().0;
        let twice = 2 * length.parse::<u32>().unwrap();
        assert!(pixels.abs_diff(twice) <= 1, "two pixels a point, each rounded: {pixels} and {twice}");
    }
    let colours: std::collections::BTreeSet<&[u8]> = pixels.chunks(3).collect();
    assert!(colours.len() > 200, "cells, legend and anti-aliased text: {} colours", colours.len());
    // The title is in the top left corner: text is there, not only cells.
    let title =
        |y: usize| pixels[3 * (y * info.width as usize + 48)..][..600].iter().any(|&channel| channel > 200);
    assert!((48..90).any(title), "the title is written");
}
