//! Links: every state comes back from its link, and no text whatever makes the decoder panic.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::Value;
use vitrine::data::Image;
use vitrine::focus::Spot;
use vitrine::link::{Direction, Layout, LinkError, Split, State, Tabs, Theme, Tile, decode, encode};

fn json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![any::<String>(), "[-~+ 0-9e.():;,=%#']{0,6}", Just("true".to_owned())];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no infinities", |x| x.is_finite()).prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..4).prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    })
}

fn layout() -> impl Strategy<Value = Layout> {
    let tile = ("[a-z-]{1,12}", json())
        .prop_map(|(exhibit, state)| Layout::Tile(Tile { exhibit, state, ..Tile::default() }));
    tile.prop_recursive(3, 12, 3, |inner| {
        let direction = prop_oneof![Just(Direction::Row), Just(Direction::Column)];
        prop_oneof![
            (direction, vec(inner.clone(), 0..4), vec(any::<u8>(), 0..4))
                .prop_map(|(split, parts, shares)| Layout::Split(Split { split, parts, shares })),
            (vec(inner, 0..4), any::<usize>()).prop_map(|(tabs, open)| Layout::Tabs(Tabs { tabs, open })),
        ]
    })
}

fn spot() -> impl Strategy<Value = Spot> {
    let place = || proptest::option::of(any::<u16>().prop_map(usize::from));
    let at = proptest::option::of(any::<[u16; 2]>());
    (place(), place(), place(), place(), at).prop_map(|(layer, head, query, key, at)| Spot {
        layer,
        head,
        query,
        key,
        at,
    })
}

fn picture() -> impl Strategy<Value = Image> {
    let drawn = (1usize..40, any::<u8>()).prop_map(|(side, grey)| {
        Image::Drawn((0..side * side).map(|i| grey.wrapping_add((i * i) as u8)).collect())
    });
    let photo = any::<String>().prop_map(|name| Image::Photo { name, photo: None });
    prop_oneof![any::<u32>().prop_map(Image::Collage), any::<u32>().prop_map(Image::Clothes), drawn, photo]
}

fn state() -> impl Strategy<Value = State> {
    let theme = prop_oneof![Just(Theme::System), Just(Theme::Dark), Just(Theme::Light)];
    let tiles = proptest::option::of(layout());
    let text = prop_oneof![Just(State::default().text), any::<String>(), ".{0,900}"];
    (text, any::<String>(), picture(), tiles, any::<bool>(), spot(), theme, any::<u16>()).prop_map(
        |(text, model, picture, tiles, gallery, focus, theme, size)| State {
            text,
            model,
            picture,
            tiles,
            gallery,
            focus,
            theme,
            size,
        },
    )
}

proptest! {
    #[test]
    fn every_state_comes_back(state in state()) {
        let link = encode(&state);
        prop_assert_eq!(decode(&link), Ok(state), "{}", link);
    }

    #[test]
    fn links_need_no_escaping(state in state()) {
        let link = encode(&state);
        prop_assert!(link.bytes().all(|it| it.is_ascii_graphic() && !b"\"<>`".contains(&it)), "{}", link);
    }

    #[test]
    fn any_text_is_a_state_or_an_error(text in prop_oneof![any::<String>(), "#?v1;[a-z]{0,6}=[-~+0-9a-z():;,=%]{0,40}"]) {
        let _ = decode(&text);
    }

    #[test]
    fn a_damaged_link_is_a_state_or_an_error(state in state(), at in any::<prop::sample::Index>(), with in any::<char>()) {
        let mut link: Vec<char> = encode(&state).chars().collect();
        let at = at.index(link.len());
        link[at] = with;
        let _ = decode(&link.iter().collect::<String>());
        let _ = decode(&link[..at].iter().collect::<String>());
    }
}

#[test]
fn the_default_state_needs_no_words() {
    assert_eq!(encode(&State::default()), "#v1");
    for link in ["", "#", " ", "#v1", "v1;"] {
        assert_eq!(decode(link), Ok(State::default()), "{link:?}");
    }
}

#[test]
fn small_states_can_be_read() {
    let focus = Spot { layer: Some(3), head: Some(1), query: Some(10), ..Spot::default() };
    let state = State { text: "Who's there?".to_owned(), theme: Theme::Light, focus, ..State::default() };
    let link = "#v1;focus=(head:1,layer:3,query:10);text=Who's+there?;theme=light";
    assert_eq!(encode(&state), link);
    assert_eq!(decode(&format!("https://example.org/vitrine/{link}")), Ok(state), "the whole address");
}

#[test]
fn big_states_are_packed() {
    let state = State { text: "the same words over and over ".repeat(100), ..State::default() };
    let link = encode(&state);
    assert!(link.starts_with("#v1;z=") && link.len() < 200, "{link}");
    assert_eq!(decode(&link), Ok(state));
}

#[test]
fn what_cannot_be_opened_says_why() {
    assert_eq!(decode("#v2;text=hi"), Err(LinkError::Version("v2".to_owned())));
    let bomb = encode(&State { text: "a".repeat(3 << 20), ..State::default() });
    let deep = format!("#v1;tiles={}", "(".repeat(100_000));
    let many = format!("#v1;tiles=(tabs:({}))", ["(exhibit:attention)"; 40].join(","));
    for (link, reason) in [
        ("#hello", "v1"),
        ("#v1;text", "no value"),
        ("#v1;text=%C3", "not text"),
        ("#v1;text=%4", "cut off"),
        ("#v1;focus=(layer:3", "bracket"),
        ("#v1;focus=(layer:three)", "three"),
        ("#v1;colour=red", "colour"),
        ("#v1;z=AAAA", "unpack"),
        ("#v1;z=!", "cut off"),
        (bomb.as_str(), "unpack"),
        (deep.as_str(), "deeply"),
        (many.as_str(), "40 tiles"),
    ] {
        let error = decode(link).expect_err("it is damaged").to_string();
        assert!(error.contains(reason), "{reason:?} is not in {error:?}");
    }
}
